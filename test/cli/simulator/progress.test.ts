import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Progress } from "../../../src/cli/simulator/progress.ts";

let written: string[];
const { isTTY } = process.stdout;

beforeEach(() => {
  written = [];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => written.push(String(text)) > 0);
});
afterEach(() => {
  vi.restoreAllMocks();
  process.stdout.isTTY = isTTY;
});

test("rewrites one line on a terminal", () => {
  process.stdout.isTTY = true;
  const progress = new Progress();
  progress.report(1, 3, { users: 1, typing: 0 });
  progress.report(2, 3, undefined);
  progress.end();
  expect(written).toEqual([
    "\r\x1b[2Kconnected 1 of 3 · online 1 · typing 0",
    "\r\x1b[2Kconnected 2 of 3 · the gateway does not answer",
    "\n",
  ]);
});

test("prints every fifth line elsewhere", () => {
  process.stdout.isTTY = false;
  const progress = new Progress();
  for (let connected = 0; connected < 11; connected++) progress.report(connected, 10, undefined);
  progress.end();
  expect(written.map((line) => /connected (\d+) of 10 .*\n$/.exec(line)?.[1])).toEqual(["0", "5", "10"]);
});
