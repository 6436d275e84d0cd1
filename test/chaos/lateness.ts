import { readFileSync } from "node:fs";

// How late the machine runs the processes of a run. A busy machine is not a defect of the gateway, so the
// oracle has this much extra time. Only what the system itself reports counts as a delay of the gateway:
// a gateway that keeps its own event loop busy is not excused.

const TICK_MS = 20;
const WAIT_PERIOD_MS = 1_000;
/** Delays below this are usual. The oracle's tolerance covers them. */
export const NOTABLE_MS = 100;

/** Reports how much later than planned this process runs its timers. */
export function watchOwnTimers(onLate: (ms: number) => void): NodeJS.Timeout {
  let expected = performance.now() + TICK_MS;
  return setInterval(() => {
    const late = performance.now() - expected;
    expected = performance.now() + TICK_MS;
    if (late >= NOTABLE_MS) onLate(late);
  }, TICK_MS);
}

/**
 * Reports how long the main thread of a process was ready to run but waited for a processor, per second.
 * Linux tells; on other systems it reports nothing.
 */
export function watchWaits(pid: () => number | undefined, onLate: (ms: number) => void): NodeJS.Timeout {
  let last: { readonly pid: number; readonly waitedMs: number } | undefined;
  return setInterval(() => {
    const now = waited(pid());
    const late = now !== undefined && last?.pid === now.pid ? now.waitedMs - last.waitedMs : 0;
    last = now;
    if (late >= NOTABLE_MS) onLate(late);
  }, WAIT_PERIOD_MS);
}

function waited(pid: number | undefined) {
  if (pid === undefined) return undefined;
  try {
    const [, waitedNs] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, "latin1").split(" ");
    return { pid, waitedMs: Number(waitedNs) / 1e6 };
  } catch {
    return undefined;
  }
}
