import { expect, it } from "vitest";
import { FlushBatch } from "../../../src/server/gateway/flush-batch.ts";

function app(log: string[], name: string) {
  return { flush: (now: number) => void log.push(`${name} at ${now}`) };
}

it("flushes at once while no batch is open", () => {
  const log: string[] = [];
  new FlushBatch().flush(app(log, "a"), 1);
  expect(log).toEqual(["a at 1"]);
});

it("flushes each app once, at the end of the outermost batch", () => {
  const log: string[] = [];
  const batch = new FlushBatch();
  const [a, b] = [app(log, "a"), app(log, "b")];
  batch.run(
    () => 5,
    () => {
      batch.flush(a, 1);
      batch.run(
        () => 6,
        () => batch.flush(b, 2),
      );
      batch.flush(a, 3);
      expect(log).toEqual([]);
    },
  );
  expect(log).toEqual(["a at 5", "b at 5"]);
});

it("flushes the other apps where one fails, and then throws its error", () => {
  const log: string[] = [];
  const batch = new FlushBatch();
  const bad = {
    flush: () => {
      throw new Error("a defect");
    },
  };
  const run = () =>
    batch.run(
      () => 5,
      () => {
        batch.flush(bad, 1);
        batch.flush(app(log, "b"), 1);
      },
    );
  expect(run).toThrow("a defect");
  expect(log).toEqual(["b at 5"]);
  // The batch is closed.
  batch.flush(app(log, "a"), 6);
  expect(log).toEqual(["b at 5", "a at 6"]);
});
