/** What all that is random in a test begins with: the same in every run, unless MODEL_SEED is another. */
export const SEED = readSeed(process.env.MODEL_SEED);

/** Whether it is asked what other seeds find: then some suites look further. */
export const EXPLORES = process.env.EXPLORE === "1";

/** How often a property is tried: `count` times where seeds are explored, a third of that in each other run. */
export const runs = (count: number): number => (EXPLORES ? count : Math.ceil(count / 3));

function readSeed(text = "1"): number {
  const seed = Number(text);
  if (!Number.isSafeInteger(seed) || seed < 0) throw new Error(`MODEL_SEED is no whole number: ${text}`);
  return seed;
}
