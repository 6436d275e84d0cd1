import fc from "fast-check";
import { beforeEach } from "vitest";
import { Random } from "./random.ts";
import { SEED } from "./seed.ts";

// Before each file of tests: chance decides nothing, here or in what is tested, that it did not decide in the run before.

fc.configureGlobal({ seed: SEED });

beforeEach(() => {
  const random = new Random(SEED);
  Math.random = () => random.next();
});
