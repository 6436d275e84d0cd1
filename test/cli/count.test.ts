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

async function count(users: number, ...args: readonly string[]): Promise<ProgramRun> {
  api.answer = () => ({ body: { data: { users } } });
  run = new ProgramRun(["count", ...args, ...api.options]);
  await run.over;
  return run;
}

test("prints the number of users in the filter's result", async () => {
  await count(3, "--custom", "team=billing", "team=sales", "--status", "online", "idle");
  expect(api.requests).toMatchObject([
    {
      method: "POST",
      url: "/v1/shop/presences/count",
      body: { custom: { team: ["billing", "sales"] }, status: ["online", "idle"] },
    },
  ]);
  expect(run.output).toBe("3\n");
  expect(run.exitCode).toBe(0);
});

test("exits with 1 if nobody matches; --json prints the answer", async () => {
  await count(0, "--json");
  expect(run.output).toBe('{"data":{"users":0}}\n');
  expect(run.exitCode).toBe(1);
});

test("a status that nobody can see is wrong usage", async () => {
  await expect(count(0, "--status", "invisible")).rejects.toThrow("Allowed choices are online, idle");
});
