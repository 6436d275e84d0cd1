import { afterEach, beforeEach, expect, test } from "vitest";
import { FakeServer } from "../support/fake-server.ts";
import { someone } from "../support/sdk.ts";
import { ProgramRun } from "./program-run.ts";

let server: FakeServer;
let run: ProgramRun;

beforeEach(async () => {
  server = await FakeServer.start();
});
afterEach(async () => {
  run.restore();
  await server.stop();
});

function query(...args: readonly string[]): ProgramRun {
  run = new ProgramRun(["query", "--url", server.url, "--app", "shop", "--token", "a.b.c", ...args]);
  return run;
}

test("prints a table, and exits with 0 as somebody matches", async () => {
  server.push({ selectedConversationId: "c1" }, { alice: someone("s", { selectedConversationId: "c1" }) });
  await query("--conversation", "c1").over;
  expect(run.exitCode).toBe(0);
  expect(run.lines).toHaveLength(2);
  expect(run.lines[1]).toMatch(/^alice .*c1/);
});

test("prints JSON of everybody, with control characters as escapes", async () => {
  const value = someone("s");
  server.push({}, { "\x1b[2J": value, bob: value });
  await query("--json").over;
  expect(run.exitCode).toBe(0);
  expect(JSON.parse(run.output)).toEqual({ data: { "\x1b[2J": value, bob: value } });
  expect(run.output).not.toContain("\x1b");
});

test("says that nobody matches, and exits with 1", async () => {
  await query().over;
  expect(run.exitCode).toBe(1);
  expect(run.output).toBe("nobody\n");
});

test("fails without a gateway that lets it in, and prints nothing", async () => {
  server.refusal = { status: 404 };
  await expect(query().over).rejects.toMatchObject({
    name: "CliError",
    message: expect.stringContaining("it does not know this app (404)"),
  });
  expect(run.output).toBe("");
});

test("an error of the gateway is one that the user can fix", async () => {
  server.on("query", ({ id }, connection) => {
    connection.send({ type: "error", id, code: "FORBIDDEN", message: "no right to read this" });
  });
  await expect(query().over).rejects.toMatchObject({
    name: "CliError",
    message: "no right to read this (FORBIDDEN)",
  });
});
