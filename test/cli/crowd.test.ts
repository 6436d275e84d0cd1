import { afterEach, expect, test, vi } from "vitest";
import { APP, SECRET, TestGateway } from "../support/gateway.ts";
import { ProgramRun } from "./program-run.ts";

let run: ProgramRun;

afterEach(() => run.restore());

function crowd(url: string, ...args: readonly string[]): ProgramRun {
  run = new ProgramRun(["crowd", "--url", url, "--app", APP, "--secret", SECRET, ...args]);
  return run;
}

test("fills a gateway, and empties it when it is asked to end", async () => {
  const gateway = await TestGateway.start("ws");
  try {
    crowd(gateway.url, "3", "--rate", "1000", "--conversations", "1");
    await vi.waitFor(() => expect(gateway.presence().table.counts().users).toBe(3));
    run.signal("SIGINT");
    await run.over;
    expect(run.exitCode).toBe(0);
    expect(gateway.presence().table.counts().users).toBe(0);
  } finally {
    await gateway.stop();
  }
});

test.each([
  [["200", "--users", "200"], "say how many users once"],
  [["0"], "It must be a whole number from 1 to 50000."],
  [["--rate", "fast"], "It must be a whole number from 1 to 10000."],
  [["--token", "a.b.c"], "unknown option '--token'"],
])("refuses %j", async (args, problem) => {
  await expect(crowd("http://127.0.0.1:1", ...args).over).rejects.toThrow(problem);
});
