import { afterEach, expect, test, vi } from "vitest";
import type { SettingHelp } from "../../src/cli/cli-dependencies.ts";
import { NO_GATEWAY, ProgramRun } from "./program-run.ts";

const serve = vi.fn<() => Promise<void>>();
let run: ProgramRun;

afterEach(() => {
  run.restore();
  serve.mockReset();
});

function start(args: readonly string[], settings: readonly SettingHelp[] = []): ProgramRun {
  run = new ProgramRun(["serve", ...args], { ...NO_GATEWAY, serve, settings });
  return run;
}

test("starts a gateway", async () => {
  await start([]).over;
  expect(serve).toHaveBeenCalledOnce();
});

test.each([["--port"], ["8080"]])("refuses %s, without starting, and names the environment", async (word) => {
  await expect(start([word]).over).rejects.toMatchObject({
    name: "CliError",
    message: expect.stringContaining("set environment variables"),
    exitCode: 1,
  });
  expect(serve).not.toHaveBeenCalled();
});

test("its help shows each setting with its default", async () => {
  const { over } = start(
    ["--help"],
    [
      { names: ["PORT"], default: "8080", text: "port to listen on" },
      { names: ["TLS_CERT", "TLS_KEY"], default: undefined, text: "files for TLS" },
    ],
  );
  await expect(over).rejects.toMatchObject({ exitCode: 0 });
  expect(run.lines).toContain(`  ${"PORT".padEnd(30)} port to listen on (8080)`);
  expect(run.lines).toContain(`  ${"TLS_CERT, TLS_KEY".padEnd(30)} files for TLS`);
});
