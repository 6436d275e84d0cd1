import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/**
 * A function that collects all garbage of the heap at once, and does nothing else meanwhile.
 *
 * Relies on: V8 gives `gc` to every context that is made while the flag `--expose-gc` is set, also if the
 * process was started without it.
 * Why: after many clients have left, V8 may take minutes to collect what they left, and the gateway would
 * refuse new ones for as long.
 * Without it: the function does nothing, and new clients wait until V8 collects by itself.
 *
 * A context takes memory for as long as its function lives, so a process makes one.
 */
export function createCollector(): () => void {
  known ??= makeCollector();
  return known;
}

let known: (() => void) | undefined;

function makeCollector(): () => void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("globalThis.gc") as (() => void) | undefined;
  setFlagsFromString("--no-expose-gc");
  return collect ?? (() => {});
}
