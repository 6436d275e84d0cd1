import fc from "fast-check";
import { beforeEach } from "vitest";
import { Random } from "./random.ts";
import { SEED } from "./seed.ts";

// Before each test file: randomness in tests and in the tested code starts with the same seed in every run.

fc.configureGlobal({ seed: SEED });

beforeEach(() => {
  const random = new Random(SEED);
  Math.random = () => random.next();
});
