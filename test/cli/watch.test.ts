import { afterEach, beforeEach, expect, test, vi } from "vitest";
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

function watch(...args: readonly string[]): ProgramRun {
  run = new ProgramRun(["watch", "--url", server.url, "--app", "shop", "--token", "a.b.c", ...args]);
  return run;
}

test("--json prints a snapshot and each change, until it is asked to end", async () => {
  const value = someone("s");
  server.push({}, { alice: value });
  watch("--json");
  await vi.waitFor(() => expect(run.lines).toHaveLength(1));
  expect(JSON.parse(run.lines[0]!)).toEqual({ type: "snapshot", data: { alice: value } });
  server.push({}, { bob: value, alice: null }, { alice: "closed" });
  await vi.waitFor(() => expect(run.lines).toHaveLength(3));
  expect(run.lines.slice(1).map((line) => JSON.parse(line))).toEqual(
    expect.arrayContaining([
      { type: "left", userId: "alice", cause: "closed" },
      { type: "entered", userId: "bob", value },
    ]),
  );
  run.signal("SIGTERM");
  await run.over;
  expect(run.exitCode).toBe(0);
});

test("reports a lost connection, and that it is back", async () => {
  watch("--json");
  await vi.waitFor(() => expect(run.lines).toHaveLength(1));
  (await server.connection(0)).drop();
  await vi.waitFor(() => expect(run.lines).toHaveLength(3));
  expect(run.lines.slice(1).map((line) => JSON.parse(line))).toMatchObject([
    { type: "status", status: "reconnecting" },
    { type: "status", status: "connected" },
  ]);
  run.signal("SIGINT");
  await run.over;
  expect(run.exitCode).toBe(0);
});

test("fails if no gateway lets it in, and prints nothing", async () => {
  server.refusal = { status: 403 };
  await expect(watch("--json").over).rejects.toMatchObject({
    name: "CliError",
    message: expect.stringContaining("it refuses connections like this one (403)"),
  });
  expect(run.output).toBe("");
});

test("fails if the gateway refuses the filter", async () => {
  server.on("subscribe", ({ id }, connection) => {
    connection.send({ type: "error", id, code: "FORBIDDEN", message: "no right to read this" });
  });
  await expect(watch("--json").over).rejects.toMatchObject({
    name: "CliError",
    message: "no right to read this (FORBIDDEN)",
  });
});
