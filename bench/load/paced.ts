import { Latencies } from "../measure/latencies.ts";
import type { LiveUsers } from "./live-users.ts";
import { pace } from "./pace.ts";

/** A server that is so far behind does not keep up. */
const PATIENCE_MS = 20_000;

/** Makes so many transitions a second, and waits until all have come; resolves with the time that they took. */
export async function paced(live: LiveUsers, perSecond: number, ms: number): Promise<Latencies> {
  const latencies = new Latencies();
  live.measure(latencies);
  const arrived = arrivals(live, Math.round((perSecond * ms) / 1_000));
  await pace(perSecond, ms, (_, due) => live.transition(due));
  await arrived;
  return latencies;
}

/** Resolves when so many transitions have reached all their watchers. */
export function arrivals(
  live: LiveUsers,
  count: number,
  onArrival: (transitions: number) => void = () => {},
): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = count;
    let seenAt = performance.now();
    const timer = setInterval(() => {
      if (performance.now() - seenAt < PATIENCE_MS) return;
      clearInterval(timer);
      reject(new Error(`${left} of ${count} transitions were never seen`));
    }, 1_000);
    live.onArrival = (transitions) => {
      seenAt = performance.now();
      left -= transitions;
      onArrival(transitions);
      if (left > 0) return;
      clearInterval(timer);
      resolve();
    };
  });
}
