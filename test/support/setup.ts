import fc from "fast-check";
import { afterEach, beforeEach, vi } from "vitest";
import { Random } from "./random.ts";
import { SEED } from "./seed.ts";
import { PATIENCE_MS } from "./until.ts";

// Before each test file: randomness in tests and in the tested code starts with the same seed in every run,
// and no wait is shorter than a busy machine needs.

fc.configureGlobal({ seed: SEED });

const { waitFor } = vi;
vi.waitFor = (isSo) => waitFor(isSo, PATIENCE_MS);

let underWay = 0;

beforeEach(() => {
  // Tests that run at the same time share the randomness. If one of them began it anew, the others would be
  // given ids that they have already.
  if (underWay++ > 0) return;
  const random = new Random(SEED);
  Math.random = () => random.next();
});
afterEach(() => {
  underWay--;
});
