import { describe, expect, it } from "vitest";
import { CountDiff } from "../../../src/core/views/diff.ts";
import {
  type Diff,
  DiffLog,
  DiffLogBudget,
  MAX_DIFF_CHARS,
  MAX_DIFFS,
} from "../../../src/core/views/diff-log.ts";
import { Random } from "../../support/random.ts";

const diff = (version: number, text: string): Diff => new CountDiff(version, text);

describe("the log of diffs", () => {
  const filled = (count: number, text = "x") => {
    const log = new DiffLog();
    for (let version = 2; version < count + 2; version++) log.push(diff(version, text));
    return log;
  };

  it("returns the missed diffs, and none to a subscriber that missed nothing", () => {
    expect(
      filled(3)
        .since(2, 4)
        ?.map(({ version }) => version),
    ).toEqual([3, 4]);
    expect(filled(3).since(4, 4)).toEqual([]);
  });

  it("returns undefined for a version that is too old or does not exist yet", () => {
    expect(filled(3).since(0, 4)).toBeUndefined();
    expect(filled(3).since(5, 4)).toBeUndefined();
  });

  it("keeps a bounded number of diffs", () => {
    const current = MAX_DIFFS + 11;
    const log = filled(MAX_DIFFS + 10);
    expect(log.since(current - MAX_DIFFS, current)).toHaveLength(MAX_DIFFS);
    expect(log.since(current - MAX_DIFFS - 1, current)).toBeUndefined();
  });

  it("keeps a bounded number of characters, so that one huge diff is not kept at all", () => {
    const log = filled(5, "x".repeat(MAX_DIFF_CHARS / 2));
    expect(log.since(4, 6)).toHaveLength(2);
    expect(log.since(3, 6)).toBeUndefined();
    log.push(diff(7, "x".repeat(MAX_DIFF_CHARS + 1)));
    expect(log.since(6, 7)).toBeUndefined();
    expect(log.since(7, 7)).toEqual([]);
  });
});

describe("the diff logs of an app", () => {
  const text = "x".repeat(840);
  const DIFF = 1_000;

  it("are limited only by themselves while all together are within the budget", () => {
    const budget = new DiffLogBudget(300 * DIFF);
    const log = new DiffLog(budget);
    for (let version = 2; version < 202; version++) log.push(diff(version, text));
    expect(log.since(1, 201)).toHaveLength(200);
    expect(budget.bytes).toBe(200 * DIFF);
  });

  it("are cut to their fair share when the budget is exceeded; smaller ones keep everything", () => {
    const budget = new DiffLogBudget(300 * DIFF);
    const [large, small, other] = [new DiffLog(budget), new DiffLog(budget), new DiffLog(budget)];
    for (let version = 2; version < 12; version++) small.push(diff(version, text));
    for (let version = 2; version < 202; version++) large.push(diff(version, text));
    for (let version = 2; version < 93; version++) other.push(diff(version, text));
    // The 301st diff was too much: the largest is cut in half.
    expect(large.bytes).toBe(100 * DIFF);
    expect(large.since(101, 201)).toHaveLength(100);
    expect(large.since(100, 201)).toBeUndefined();
    expect(small.since(1, 11)).toHaveLength(10);
    expect(other.since(1, 92)).toHaveLength(91);
    expect(budget.bytes).toBe(201 * DIFF);
    budget.remove(large);
    budget.remove(large);
    expect(budget.bytes).toBe(101 * DIFF);
    expect(budget.size).toBe(2);
  });

  it("never exceed the budget, and return only correct diffs, whatever is pushed and dropped", () => {
    const budget = new DiffLogBudget(50_000);
    const random = new Random(14);
    const models = new Map<DiffLog, { version: number; texts: string[] }>();
    for (let step = 0; step < 4_000; step++) {
      const log = [...models.keys()][random.below(40)] ?? new DiffLog(budget);
      const model = models.get(log) ?? { version: 1, texts: [] };
      models.set(log, model);
      if (random.oneIn(200)) {
        budget.remove(log);
        models.delete(log);
        continue;
      }
      model.version++;
      model.texts.push(`${model.version}`.padEnd(random.below(random.oneIn(10) ? 60_000 : 600), "y"));
      log.push(diff(model.version, model.texts.at(-1)!));
      expect(budget.bytes).toBeLessThanOrEqual(50_000);
      expect(budget.bytes).toBe([...models.keys()].reduce((sum, each) => sum + each.bytes, 0));
      const from = 1 + random.below(model.version + 1);
      const missed = log.since(from, model.version);
      if (missed !== undefined)
        expect(missed.map((each) => each.whole())).toEqual(model.texts.slice(from - 1));
      expect(log.since(model.version, model.version)).toEqual([]);
    }
    for (const log of models.keys()) budget.remove(log);
    expect([budget.bytes, budget.size]).toEqual([0, 0]);
  });
});
