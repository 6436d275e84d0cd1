import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { type CliRun, PROJECT } from "./process.ts";

/**
 * Runs commands to their end, one after another in one process, for tests with many commands. A command that
 * listens, logs or keeps running needs its own process.
 */
export class CliHost {
  readonly #child = spawn(process.execPath, ["test/support/cli-host.mjs"], {
    cwd: PROJECT,
    stdio: ["pipe", "pipe", "inherit"],
  });
  readonly #answers = createInterface({ input: this.#child.stdout });

  async run(args: readonly string[], env: Record<string, string> = {}): Promise<CliRun> {
    const own = { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: process.env.TMPDIR, PORT: "0" };
    const answered = once(this.#answers, "line");
    this.#child.stdin.write(`${JSON.stringify({ args, env: { ...own, ...env } })}\n`);
    return JSON.parse((await answered)[0]);
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, "exit");
    // The process accumulates what its runs leave behind, for example signal handlers.
    this.#child.kill("SIGKILL");
    await exited;
  }
}
