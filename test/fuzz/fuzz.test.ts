import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { EXPLORES, SEED } from "../support/seed.ts";
import { fuzz, summarize } from "./fuzz.ts";
import { TARGETS } from "./targets/all.ts";

/** Of a million inputs over all targets. */
const SHARE = EXPLORES ? 1 : 0.1;

interface Case {
  readonly name: string;
  readonly input: string;
  /** For what would be long: the input is this often there. */
  readonly times?: number;
}

/** What was found once, and what others were hurt by. */
function corpus(target: string): Case[] {
  return JSON.parse(readFileSync(new URL(`corpus/${target}.json`, import.meta.url), "utf8"));
}

describe.each(TARGETS)("$name", (target) => {
  it.each(corpus(target.name))("stands $name", async ({ input, times = 1 }) => {
    expect(await target.check(input.repeat(times))).toMatch(/^(taken|refused)$/);
  });

  it(`stands inputs that are almost right (MODEL_SEED=${SEED})`, async () => {
    const report = await fuzz(target, SEED, (inputs) => inputs >= SHARE * target.inputs);
    process.stdout.write(summarize(target, SEED, report));
    // Were all refused, or all taken, nothing would have been tried.
    expect(report.taken).toBeGreaterThan(report.inputs / 50);
    expect(report.taken).toBeLessThan(report.inputs * 0.9);
  }, 600_000);
});
