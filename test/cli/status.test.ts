import { expect, test } from "vitest";
import { ApiCommand } from "./api-command.ts";

const command = new ApiCommand("status");

test("get prints it in one line, without control characters", async () => {
  const expiresAt = new Date(2026, 0, 1, 12, 0, 0).getTime();
  command.api.answer = () => ({
    body: { data: { availability: "busy", text: "In a \u202emeeting", emoji: "🎧", expiresAt } },
  });
  await command.call("get", "alice");
  expect(command.api.requests).toMatchObject([{ method: "GET", url: "/v1/shop/users/status?userId=alice" }]);
  expect(command.run.output).toBe("busy 🎧 In a \\u{202e}meeting (until 2026-01-01 12:00:00)\n");
  expect(command.run.exitCode).toBe(0);
});

test("get --json prints the answer", async () => {
  command.api.answer = () => ({ body: { data: { availability: "available" } } });
  await command.call("get", "alice", "--json");
  expect(JSON.parse(command.run.output)).toEqual({ data: { availability: "available" } });
});

test("set sends the whole status, and prints what it became", async () => {
  command.api.answer = () => ({ body: { data: { availability: "dnd", text: "x" } } });
  await command.call("set", "alice", "dnd", "--text", "x", "--emoji", "🎧", "--expires", "2h");
  const body = { availability: "dnd", text: "x", emoji: "🎧", expiresInMs: 7_200_000 };
  expect(command.api.requests).toMatchObject([{ method: "PUT", body }]);
  expect(command.run.output).toBe("dnd x\n");
  await command.call("set", "alice");
  expect(command.api.requests[1]!.body).toEqual({});
});

test("reset deletes it", async () => {
  command.api.answer = () => ({ body: { data: { availability: "available" } } });
  await command.call("reset", "alice");
  expect(command.api.requests).toMatchObject([
    { method: "DELETE", url: "/v1/shop/users/status?userId=alice" },
  ]);
  expect(command.run.output).toBe("available\n");
});

test.each([
  [["set", "alice", "gone"], "Allowed choices are available, away, busy, dnd, invisible"],
  [["set", "alice", "--expires", "400d"], "at most 365d"],
  [["get", ""], "1 to 255 characters"],
])("%j is wrong usage", async (args, message) => {
  await expect(command.call(...args)).rejects.toThrow(message);
  expect(command.api.requests).toEqual([]);
});

test("an error of the gateway is one that the user can fix", async () => {
  command.api.answer = () => ({
    status: 400,
    body: { errorCode: "BAD_REQUEST", reasons: { text: ["is too long"] } },
  });
  await expect(command.call("set", "alice", "--text", "x")).rejects.toMatchObject({
    name: "CliError",
    exitCode: 2,
    message: "the gateway refuses this: text: is too long (BAD_REQUEST, 400)",
  });
});
