import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { EXPLORES, SEED } from "../support/seed.ts";
import { fuzz, summarize } from "./fuzz.ts";
import { TARGETS } from "./targets/all.ts";

/** Inputs per target, out of a million over all targets. */
const SHARE = EXPLORES ? 1 : 0.03;

interface Case {
  readonly name: string;
  readonly input: string;
  /** For long inputs: how often the input is repeated. */
  readonly times?: number;
}

/** Inputs that once were findings here, or that affected other software. */
function corpus(target: string): Case[] {
  return JSON.parse(readFileSync(new URL(`corpus/${target}.json`, import.meta.url), "utf8"));
}

describe.each(TARGETS)("$name", (target) => {
  it.each(corpus(target.name))("handles $name", async ({ input, times = 1 }) => {
    expect(await target.check(input.repeat(times))).toMatch(/^(taken|refused)$/);
  });

  it(`handles near misses (MODEL_SEED=${SEED})`, async () => {
    const report = await fuzz(target, SEED, (inputs) => inputs >= SHARE * target.inputs);
    process.stdout.write(summarize(target, SEED, report));
    // The inputs are useful only if some are accepted and some are refused.
    expect(report.taken).toBeGreaterThan(report.inputs / 50);
    expect(report.taken).toBeLessThan(report.inputs * 0.9);
  }, 3_600_000);
});
