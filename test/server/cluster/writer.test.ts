import { expect, it } from "vitest";
import type { Command } from "../../../src/server/cluster/log.ts";
import { MAX_BATCH_OPS } from "../../../src/server/cluster/write-buffer.ts";
import { Writer } from "../../../src/server/cluster/writer.ts";

const INTERVAL_MS = 10;

/** A writer that has joined, and has just written its first batch. */
function writing() {
  const wakes: number[] = [];
  const options = {
    presence: { setEpoch: () => {} },
    nodeId: "n",
    leaseMs: 10_000,
    intervalMs: INTERVAL_MS,
    makeId: () => "w",
    wakeBy: (due: number) => wakes.push(due),
  };
  const writer = new Writer(options);
  const step = (now: number) => {
    const commands: Command[] = [];
    writer.step(commands, true, now);
    return commands;
  };
  const end = (sessionId: string) => {
    writer.writeEnd("end", "app", sessionId, "closed");
  };
  writer.linked();
  expect(step(0)).toMatchObject([{ do: "join", writer: "w" }]);
  writer.joined("w", { ok: true, logId: "log" }, 0);
  end("first");
  expect(step(0)).toMatchObject([{ do: "append", seq: 1 }]);
  wakes.length = 0;
  return { writer, wakes, step, end };
}

it("makes one batch in its time, and asks again to be woken if it was woken too early", () => {
  const { wakes, step, end } = writing();
  end("second");
  end("third");
  expect(wakes).toEqual([INTERVAL_MS, INTERVAL_MS]);
  expect(step(INTERVAL_MS - 0.5)).toEqual([]);
  expect(wakes).toHaveLength(3);
  expect(step(INTERVAL_MS)).toMatchObject([{ do: "append", seq: 2, ops: { length: 2 } }]);
  expect(wakes).toHaveLength(3);
});

it("writes faster what does not fit into a few batches", () => {
  const { wakes, step, end } = writing();
  for (let i = 0; i < 6 * MAX_BATCH_OPS; i++) end(`s${i}`);
  const times = [];
  for (let now = 0; now < 100; now++) if (step(now).length > 0) times.push(now);
  const hurry = INTERVAL_MS / 2;
  expect(times).toEqual([1, 2, 4, 6, 8, 10].map((times) => times * hurry));
  expect(wakes.at(-1)).toBe(times.at(-1));
});

it("writes what was not read back under a new name, once, in its latest state", () => {
  const { writer, step, end } = writing();
  expect(
    writer.appended({ do: "append", writer: "w", seq: 1, ops: [] }, { count: 0, seq: undefined }, 1),
  ).toBe(false);
  writer.markExpelled(0);
  // The link breaks before it has joined again.
  writer.unlinked();
  writer.linked();
  expect(step(10)).toMatchObject([{ do: "join", formerly: ["w"] }]);
  writer.joined("w2", { ok: true, logId: "log" }, 10);
  end("second");
  const sessions = { ops: [{ sessionId: "first" }, { sessionId: "second" }] };
  // Ends are held back for a while, as others may not be back yet.
  expect(step(2_010)).toMatchObject([{ do: "append", writer: "w2", seq: 1, ...sessions }]);
});
