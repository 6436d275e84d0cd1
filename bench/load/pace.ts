/**
 * Calls `act` so many times a second, with the time when it was due. Calls that are late follow at once, so that a slow
 * server, or a slow sender, makes no event less.
 */
export function pace(perSecond: number, ms: number, act: (i: number, due: number) => void): Promise<void> {
  const count = Math.round((perSecond * ms) / 1_000);
  const startedAt = performance.now();
  let done = 0;
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const due = Math.floor(((performance.now() - startedAt) * perSecond) / 1_000);
      for (; done < Math.min(due, count); done++) act(done, startedAt + (done * 1_000) / perSecond);
      if (done < count) return;
      clearInterval(timer);
      resolve();
    }, 1);
  });
}
