import { expect, test } from "vitest";
import { ApiCommand } from "./api-command.ts";

const command = new ApiCommand("count");

async function count(users: number, ...args: readonly string[]): Promise<void> {
  command.api.answer = () => ({ body: { data: { users } } });
  await command.call(...args);
}

test("prints the number of users in the filter's result", async () => {
  await count(3, "--custom", "team=billing", "team=sales", "--status", "online", "idle");
  expect(command.api.requests).toMatchObject([
    {
      method: "POST",
      url: "/v1/shop/presences/count",
      body: { custom: { team: ["billing", "sales"] }, status: ["online", "idle"] },
    },
  ]);
  expect(command.run.output).toBe("3\n");
  expect(command.run.exitCode).toBe(0);
});

test("exits with 1 if nobody matches; --json prints the answer", async () => {
  await count(0, "--json");
  expect(command.run.output).toBe('{"data":{"users":0}}\n');
  expect(command.run.exitCode).toBe(1);
});

test("a status that nobody can see is wrong usage", async () => {
  await expect(count(0, "--status", "invisible")).rejects.toThrow("Allowed choices are online, idle");
});
