import { expect, it } from "vitest";
import { Coalesced } from "../../../src/server/workers/coalesced.ts";

function world() {
  const ends: ((error?: Error) => void)[] = [];
  const coalesced = new Coalesced(
    () =>
      new Promise<number>((resolve, reject) => {
        const run = ends.length;
        ends.push((error) => (error === undefined ? resolve(run) : reject(error)));
      }),
  );
  return { ends, coalesced };
}

it("whoever comes while it runs shares the next run, which begins after they came", async () => {
  const { ends, coalesced } = world();
  const first = coalesced.get();
  const others = [coalesced.get(), coalesced.get(), coalesced.get()];
  expect(ends).toHaveLength(1);
  ends[0]!();
  expect(await first).toBe(0);
  await expect.poll(() => ends.length).toBe(2);
  ends[1]!();
  expect(await Promise.all(others)).toEqual([1, 1, 1]);
  expect(ends).toHaveLength(2);
  await expect.poll(() => coalesced.isIdle).toBe(true);
});

it("a run that fails fails for those who share it, and for nobody else", async () => {
  const { ends, coalesced } = world();
  const first = coalesced.get();
  const second = coalesced.get();
  ends[0]!(new Error("failed"));
  await expect(first).rejects.toThrow("failed");
  await expect.poll(() => ends.length).toBe(2);
  ends[1]!();
  expect(await second).toBe(1);
});
