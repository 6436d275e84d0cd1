import { expect, test } from "vitest";
import { ApiCommand } from "./api-command.ts";

const command = new ApiCommand("last-seen");

test("prints a line for each user who was asked for", async () => {
  const lastSeenAt = new Date(2026, 0, 1, 12, 0, 0).getTime();
  command.api.answer = () => ({ body: { data: { alice: { status: "idle" }, bob: { lastSeenAt } } } });
  await command.call("alice", "bob", "__proto__", "alice");
  expect(command.api.requests).toMatchObject([{ method: "POST", url: "/v1/shop/last-seen" }]);
  expect(command.run.lines).toEqual([
    "USER       LAST SEEN",
    "alice      now (idle)",
    "bob        2026-01-01 12:00:00",
    "__proto__  never",
  ]);
  expect(command.run.exitCode).toBe(0);
});

test("--json prints the answer", async () => {
  command.api.answer = () => ({ body: { data: { bob: { lastSeenAt: 5 } } } });
  await command.call("bob", "--json");
  expect(JSON.parse(command.run.output)).toEqual({ data: { bob: { lastSeenAt: 5 } } });
});

test("says that the app does not keep it", async () => {
  command.api.answer = () => ({
    status: 404,
    body: { errorCode: "NOT_FOUND", reasons: { lastSeen: ["is not kept"] } },
  });
  await expect(command.call("bob")).rejects.toThrow("lastSeen: is not kept (NOT_FOUND, 404)");
});
