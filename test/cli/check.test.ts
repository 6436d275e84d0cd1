import { afterEach, beforeEach, expect, test, vi } from "vitest";
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

async function check(...args: readonly string[]): Promise<ProgramRun> {
  run = new ProgramRun(["check", ...args, ...api.options]);
  await run.over;
  return run;
}

test("asks with a filter, prints a table, and exits with 1 as somebody is absent", async () => {
  const data = { present: ["alice"], absent: ["bob", "__proto__"], statuses: { bob: "dnd" } };
  api.answer = () => ({ body: { data } });
  await check("alice", "bob", "__proto__", "--conversation", "c1", "--focused", "--custom", "a=b");
  const filter = { selectedConversationId: "c1", hasFocus: true, custom: { a: ["b"] } };
  expect(api.requests).toMatchObject([
    {
      method: "POST",
      url: "/v1/shop/presences/check",
      body: { userIds: ["alice", "bob", "__proto__"], filter },
    },
  ]);
  expect(run.lines).toEqual([
    "USER       PRESENT  STATUS",
    "alice      yes      -",
    "bob        no       dnd",
    "__proto__  no       -",
  ]);
  expect(run.exitCode).toBe(1);
});

test("exits with 0 as all are there; --json prints the answer", async () => {
  const answer = { data: { present: ["alice"], absent: [], statuses: {} } };
  api.answer = () => ({ body: answer });
  await check("alice", "--json");
  expect(JSON.parse(run.output)).toEqual(answer);
  expect(run.exitCode).toBe(0);
});

test("warns if the node may not know everyone", async () => {
  const warn = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  api.answer = () => ({ body: { data: { present: [], absent: ["alice"], statuses: {} }, degraded: true } });
  await check("alice");
  expect(warn).toHaveBeenCalledExactlyOnceWith("presence-gateway: this node may not know everyone now\n");
});

test.each([
  [[], "missing required argument 'userId'"],
  [["alice", "--user", "bob"], "unknown option '--user'"],
  [["alice", "--status", "busy"], "unknown option '--status'"],
])("%j is wrong usage", async (args, message) => {
  await expect(check(...args)).rejects.toThrow(message);
});
