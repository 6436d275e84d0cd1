/**
 * Calls `act` a number of times per second, with the time at which the call was due. Late calls follow at
 * once, so a slow server or a slow sender never reduces the number of events.
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
