import { Latencies } from "../measure/latencies.ts";
import type { LiveUsers } from "./live-users.ts";
import { pace } from "./pace.ts";

/** A server that delivers nothing for this long does not keep up. */
const TIMEOUT_MS = 20_000;

/**
 * Makes a number of transitions per second and waits until all have arrived. Resolves with their latencies.
 */
export async function paced(live: LiveUsers, perSecond: number, ms: number): Promise<Latencies> {
  const latencies = new Latencies();
  live.measure(latencies);
  const arrived = arrivals(live, Math.round((perSecond * ms) / 1_000));
  await pace(perSecond, ms, (_, due) => live.transition(due));
  await arrived;
  return latencies;
}

/** Resolves when `count` transitions have reached all their watchers. */
export function arrivals(
  live: LiveUsers,
  count: number,
  onArrival: (transitions: number) => void = () => {},
): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = count;
    let seenAt = performance.now();
    const timer = setInterval(() => {
      if (performance.now() - seenAt < TIMEOUT_MS) return;
      clearInterval(timer);
      reject(new Error(`${left} of ${count} transitions never arrived`));
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
