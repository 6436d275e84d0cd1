import { expect, test, vi } from "vitest";
import { ApiCommand } from "./api-command.ts";

const command = new ApiCommand("check");

test("asks with a filter, prints a table, and exits with 1 as somebody is absent", async () => {
  const data = { present: ["alice"], absent: ["bob", "__proto__"], statuses: { bob: "dnd" } };
  command.api.answer = () => ({ body: { data } });
  await command.call("alice", "bob", "__proto__", "--conversation", "c1", "--focused", "--custom", "a=b");
  const filter = { selectedConversationId: "c1", hasFocus: true, custom: { a: ["b"] } };
  expect(command.api.requests).toMatchObject([
    {
      method: "POST",
      url: "/v1/shop/presences/check",
      body: { userIds: ["alice", "bob", "__proto__"], filter },
    },
  ]);
  expect(command.run.lines).toEqual([
    "USER       PRESENT  STATUS",
    "alice      yes      -",
    "bob        no       dnd",
    "__proto__  no       -",
  ]);
  expect(command.run.exitCode).toBe(1);
});

test("exits with 0 as all are there; --json prints the answer", async () => {
  const answer = { data: { present: ["alice"], absent: [], statuses: {} } };
  command.api.answer = () => ({ body: answer });
  await command.call("alice", "--json");
  expect(JSON.parse(command.run.output)).toEqual(answer);
  expect(command.run.exitCode).toBe(0);
});

test("warns if the node may not know everyone", async () => {
  const warn = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  command.api.answer = () => ({
    body: { data: { present: [], absent: ["alice"], statuses: {} }, degraded: true },
  });
  await command.call("alice");
  expect(warn).toHaveBeenCalledExactlyOnceWith("presence-gateway: this node may not know everyone now\n");
});

test.each([
  [[], "missing required argument 'userId'"],
  [["alice", "--user", "bob"], "unknown option '--user'"],
  [["alice", "--status", "busy"], "unknown option '--status'"],
])("%j is wrong usage", async (args, message) => {
  await expect(command.call(...args)).rejects.toThrow(message);
});
