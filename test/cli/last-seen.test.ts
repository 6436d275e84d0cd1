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

async function lastSeen(...args: readonly string[]): Promise<ProgramRun> {
  run = new ProgramRun(["last-seen", ...args, ...api.options]);
  await run.over;
  return run;
}

test("prints a line for each user who was asked for", async () => {
  const lastSeenAt = new Date(2026, 0, 1, 12, 0, 0).getTime();
  api.answer = () => ({ body: { data: { alice: { status: "idle" }, bob: { lastSeenAt } } } });
  await lastSeen("alice", "bob", "__proto__", "alice");
  expect(api.requests).toMatchObject([{ method: "POST", url: "/v1/shop/last-seen" }]);
  expect(run.lines).toEqual([
    "USER       LAST SEEN",
    "alice      now (idle)",
    "bob        2026-01-01 12:00:00",
    "__proto__  never",
  ]);
  expect(run.exitCode).toBe(0);
});

test("--json prints the answer", async () => {
  api.answer = () => ({ body: { data: { bob: { lastSeenAt: 5 } } } });
  await lastSeen("bob", "--json");
  expect(JSON.parse(run.output)).toEqual({ data: { bob: { lastSeenAt: 5 } } });
});

test("says that the app does not keep it", async () => {
  api.answer = () => ({
    status: 404,
    body: { errorCode: "NOT_FOUND", reasons: { lastSeen: ["is not kept"] } },
  });
  await expect(lastSeen("bob")).rejects.toThrow("lastSeen: is not kept (NOT_FOUND, 404)");
});
