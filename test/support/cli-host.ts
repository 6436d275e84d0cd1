import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { type CliRun, PROJECT } from "./process.ts";

/** Runs commands to their end, one after another in one process; for those of which there are many. What listens, logs or goes on takes a process of its own. */
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
    // It has what its runs have left, handlers of other signals too.
    this.#child.kill("SIGKILL");
    await exited;
  }
}
