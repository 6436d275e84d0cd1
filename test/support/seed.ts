/** The seed of all randomness in tests. It is the same in every run, unless MODEL_SEED sets another. */
export const SEED = readSeed(process.env.MODEL_SEED);

/** Whether this run explores other seeds. Some suites then search further. */
export const EXPLORES = process.env.EXPLORE === "1";

/** Number of runs of a property: `count` when exploring seeds, otherwise a tenth of that. */
export const runs = (count: number): number => (EXPLORES ? count : Math.ceil(count / 10));

/** The seeds of a test that is the same for each of `count` seeds: all when exploring, otherwise a tenth. */
export const seeds = (count: number): number[] => Array.from({ length: runs(count) }, (_, i) => i + 1);

function readSeed(text = "1"): number {
  const seed = Number(text);
  if (!Number.isSafeInteger(seed) || seed < 0) throw new Error(`MODEL_SEED is no whole number: ${text}`);
  return seed;
}
