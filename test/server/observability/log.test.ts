import { pino } from "pino";
import { expect, it } from "vitest";
import { createCrashLog } from "../../../src/server/observability/log.ts";

function crashes() {
  const lines: { count: number; err: { message: string } }[] = [];
  const log = pino({ level: "debug" }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const clock = { now: 0 };
  const crashed = createCrashLog(log, () => clock.now);
  return { lines, clock, crashed };
}

const inOnePlace = (message: string) => new Error(message);
const inAnother = (message: string) => new TypeError(message);

it("crashes of one kind are one line a second, with their number", () => {
  const { lines, clock, crashed } = crashes();
  for (let i = 0; i <= 1_000; i++) {
    clock.now = i;
    crashed(inOnePlace(`with words of its own: ${i}`));
    if (i === 500) crashed(inAnother("another kind is told at once"));
  }
  expect(lines.map(({ count }) => count)).toEqual([1, 1, 1_000]);
  expect(lines[1]!.err.message).toBe("another kind is told at once");
});

it("unlimited kinds of crashes are logged as one kind", () => {
  const { lines, crashed } = crashes();
  for (let i = 0; i < 10_000; i++) {
    const error = new Error("x");
    error.name = `Error${i}`;
    crashed(error);
  }
  expect(lines.length).toBeLessThan(200);
  crashed("a text");
  crashed(undefined);
  expect(lines.length).toBeLessThan(200);
});
