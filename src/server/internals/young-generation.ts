import { PerformanceObserver } from "node:perf_hooks";
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";

/** The size of one half of the young generation, in MiB. V8's own limit is 16 or 32. */
export const SEMI_SPACE_MIB = 4;

/** V8 leaves out the heads of pages, which are under 2 %. Its sizes are powers of two. */
const LIMIT_BYTES = 0.9 * SEMI_SPACE_MIB * 2 ** 20;
const DOUBLE = 2;
const KEEP = 1;
/** 8 KiB each. All of them are 16 MiB, which fill the young generation more than once. */
const SURVIVOR_LENGTH = 1_022;
const SURVIVORS = 2_048;
/** So few that V8 grows the young generation at most once between two looks at its size. */
const SURVIVORS_AT_ONCE = 64;

export interface YoungGeneration {
  stop(): void;
}

/**
 * Keeps the young generation of the heap at `SEMI_SPACE_MIB`, whatever way the process was started. Does
 * nothing if the command line or `NODE_OPTIONS` sets its size. To be called first: what has grown stays.
 *
 * Relies on: V8 reads the flag `--semi-space-growth-factor` each time that it could grow the young
 * generation, and a factor of 1 does not grow it. It reads `--max-semi-space-size` only at the start of the
 * process.
 * Why: by itself the young generation grows to two halves of 16 or 32 MiB under load, and a collection gives
 * little of that back. A program that npm installs cannot give flags to Node: its first line takes none on
 * some systems.
 * Without it: the process takes some 20 MB more.
 */
export function limitYoungGeneration(
  execArgv: readonly string[] = process.execArgv,
  nodeOptions = process.env.NODE_OPTIONS ?? "",
): YoungGeneration {
  if ([...execArgv, nodeOptions].some((text) => /semi[-_]space/.test(text))) return { stop() {} };
  let factor = DOUBLE;
  const setFactor = (wanted: number) => {
    if (wanted === factor) return;
    factor = wanted;
    setFlagsFromString(`--semi-space-growth-factor=${wanted}`);
  };
  growToLimit();
  setFactor(KEEP);
  // V8 shrinks it when little happens. It may then grow again, up to the limit.
  const collections = new PerformanceObserver(() => setFactor(isAtLimit() ? KEEP : DOUBLE));
  collections.observe({ entryTypes: ["gc"] });
  return {
    stop() {
      collections.disconnect();
      setFactor(DOUBLE);
    },
  };
}

/** The size of one half of the young generation, in bytes. */
export function semiSpaceBytes(): number {
  const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
  // `space_size` is that of both halves, but on Node 26 it lags behind.
  return young === undefined ? 0 : young.space_used_size + young.space_available_size;
}

function isAtLimit(): boolean {
  return semiSpaceBytes() >= LIMIT_BYTES;
}

/** Nothing looks at the size while modules load, so the young generation gets its size before. */
function growToLimit(): void {
  const survivors: number[][] = [];
  while (!isAtLimit() && survivors.length < SURVIVORS)
    for (let i = 0; i < SURVIVORS_AT_ONCE; i++) survivors.push(new Array(SURVIVOR_LENGTH).fill(i));
}
