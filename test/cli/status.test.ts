import { afterEach, beforeEach, expect, test } from "vitest";
import { StubApi } from "../support/stub-api.ts";
import { ProgramRun } from "./program-run.ts";

let api: StubApi;
let run: ProgramRun;

beforeEach(async () => {
  api = await StubApi.start();
});
afterEach(async () => {
  run.restore();
  await api.stop();
});

async function status(...args: readonly string[]): Promise<ProgramRun> {
  run = new ProgramRun(["status", ...args, ...api.options]);
  await run.over;
  return run;
}

test("get prints it in one line, without control characters", async () => {
  const expiresAt = new Date(2026, 0, 1, 12, 0, 0).getTime();
  api.answer = () => ({
    body: { data: { availability: "busy", text: "In a \u202emeeting", emoji: "🎧", expiresAt } },
  });
  await status("get", "alice");
  expect(api.requests).toMatchObject([{ method: "GET", url: "/v1/shop/users/status?userId=alice" }]);
  expect(run.output).toBe("busy 🎧 In a \\u{202e}meeting (until 2026-01-01 12:00:00)\n");
  expect(run.exitCode).toBe(0);
});

test("get --json prints the answer", async () => {
  api.answer = () => ({ body: { data: { availability: "available" } } });
  await status("get", "alice", "--json");
  expect(JSON.parse(run.output)).toEqual({ data: { availability: "available" } });
});

test("set sends the whole status, and prints what it became", async () => {
  api.answer = () => ({ body: { data: { availability: "dnd", text: "x" } } });
  await status("set", "alice", "dnd", "--text", "x", "--emoji", "🎧", "--expires", "2h");
  const body = { availability: "dnd", text: "x", emoji: "🎧", expiresInMs: 7_200_000 };
  expect(api.requests).toMatchObject([{ method: "PUT", body }]);
  expect(run.output).toBe("dnd x\n");
  await status("set", "alice");
  expect(api.requests[1]!.body).toEqual({});
});

test("reset deletes it", async () => {
  api.answer = () => ({ body: { data: { availability: "available" } } });
  await status("reset", "alice");
  expect(api.requests).toMatchObject([{ method: "DELETE", url: "/v1/shop/users/status?userId=alice" }]);
  expect(run.output).toBe("available\n");
});

test.each([
  [["set", "alice", "gone"], "Allowed choices are available, away, busy, dnd, invisible"],
  [["set", "alice", "--expires", "400d"], "at most 365d"],
  [["get", ""], "1 to 255 characters"],
])("%j is wrong usage", async (args, message) => {
  await expect(status(...args)).rejects.toThrow(message);
  expect(api.requests).toEqual([]);
});

test("an error of the gateway is one that the user can fix", async () => {
  api.answer = () => ({
    status: 400,
    body: { errorCode: "BAD_REQUEST", reasons: { text: ["is too long"] } },
  });
  await expect(status("set", "alice", "--text", "x")).rejects.toMatchObject({
    name: "CliError",
    exitCode: 2,
    message: "the gateway refuses this: text: is too long (BAD_REQUEST, 400)",
  });
});
