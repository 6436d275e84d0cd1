import { beforeEach, describe, expect, test, vi } from "vitest";
import { CliError } from "../../../src/cli/cli-error.ts";
import { ApiError } from "../../../src/cli/http-api.ts";
import { keepWriting, refreshMs } from "../../../src/cli/write/keep-writing.ts";

test.each([
  [60_000, false, 20_000],
  [60_000, true, 4_000],
  [3_000, true, 1_000],
])("a life of %d ms (typing: %s) is renewed every %d ms", (ttlMs, isTyping, period) => {
  expect(refreshMs(ttlMs, isTyping)).toBe(period);
});

describe("writing", () => {
  const down = new ApiError("no gateway answers", undefined);
  let stop: AbortController;
  let warnings: string[];
  let outcomes: (Error | undefined)[];
  let writes: number;

  beforeEach(() => {
    stop = new AbortController();
    warnings = [];
    outcomes = [];
    writes = 0;
  });

  /** Each write has the next outcome. After the last one it is stopped. */
  function keep(...given: readonly (Error | undefined)[]): Promise<void> {
    outcomes = [...given];
    const write = async () => {
      writes++;
      const outcome = outcomes.shift();
      if (outcomes.length === 0) stop.abort();
      if (outcome !== undefined) throw outcome;
    };
    return keepWriting(write, 1, stop.signal, (text) => void warnings.push(text));
  }

  test("goes on until it is stopped", async () => {
    await keep(undefined, undefined, undefined);
    expect(writes).toBe(3);
    expect(warnings).toEqual([]);
  });

  test("a later failure is told once, and tried again", async () => {
    await keep(undefined, down, down, undefined, undefined);
    expect(writes).toBe(5);
    expect(warnings).toEqual(["no gateway answers; trying again", "the gateway answers again"]);
  });

  test("the first failure ends it", async () => {
    await expect(keep(down, undefined)).rejects.toBe(down);
    expect(writes).toBe(1);
  });

  test("a refusal that would stay ends it", async () => {
    const refused = new ApiError("the gateway refuses this", 400);
    await expect(keep(undefined, refused, undefined)).rejects.toBe(refused);
    const other = new CliError("something else");
    await expect(keep(undefined, other, undefined)).rejects.toBe(other);
  });

  test("a stop does not wait for the next write", async () => {
    const write = vi.fn(async () => void queueMicrotask(() => stop.abort()));
    await keepWriting(write, 2 ** 30, stop.signal, () => {});
    expect(write).toHaveBeenCalledOnce();
  });
});
