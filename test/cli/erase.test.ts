import { PassThrough } from "node:stream";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { StubApi } from "../support/stub-api.ts";
import { ProgramRun } from "./program-run.ts";

let api: StubApi;
let run: ProgramRun;
let asked: string;

beforeEach(async () => {
  api = await StubApi.start();
  api.answer = () => ({ body: { ended: 1, erased: true } });
  asked = "";
});
afterEach(async () => {
  run.restore();
  await api.stop();
});

async function erase(answer: string | undefined, ...args: readonly string[]): Promise<ProgramRun> {
  const input = Object.assign(new PassThrough(), { isTTY: answer !== undefined });
  vi.spyOn(process, "stdin", "get").mockReturnValue(input as unknown as typeof process.stdin);
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    asked += text;
    return true;
  });
  run = new ProgramRun(["erase", ...args, ...api.options]);
  input.end(answer);
  await run.over;
  return run;
}

test("asks first", async () => {
  await erase("y\n", "ali\u202ece");
  expect(asked).toContain("End all sessions of ali\\u{202e}ce in the app shop and forget the user? [y/N] ");
  expect(api.requests).toMatchObject([{ method: "DELETE", url: "/v1/shop/users?userId=ali%E2%80%AEce" }]);
  expect(run.output).toBe("ali\\u{202e}ce is erased, 1 session has ended\n");
  expect(run.exitCode).toBe(0);
});

test.each(["n\n", "\n", ""])("the answer %j erases nothing", async (answer) => {
  await erase(answer, "alice");
  expect(api.requests).toEqual([]);
  expect(run.output).toBe("nothing is erased\n");
  expect(run.exitCode).toBe(1);
});

test("without a terminal it erases nothing, unless --yes says so", async () => {
  await expect(erase(undefined, "alice")).rejects.toThrow("add --yes");
  expect(api.requests).toEqual([]);
  run.restore();
  await erase(undefined, "alice", "--yes", "--json");
  expect(asked).toBe("");
  expect(JSON.parse(run.output)).toEqual({ ended: 1, erased: true });
});
