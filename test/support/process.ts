import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { until } from "./until.ts";

export const PROJECT = fileURLToPath(new URL("../..", import.meta.url));

/** A gateway in a process of its own, as `npm start` runs it once it is built. */
export class GatewayProcess {
  readonly child: ChildProcess;
  output = "";
  errors = "";
  readonly exited: Promise<number | null>;

  constructor(env: Record<string, string> = {}, args: readonly string[] = []) {
    this.child = spawn(process.execPath, ["dist/main.js", ...args], {
      cwd: PROJECT,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: process.env.TMPDIR, PORT: "0", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child.stdout!.on("data", (data) => {
      this.output += data;
    });
    this.child.stderr!.on("data", (data) => {
      this.errors += data;
    });
    this.exited = once(this.child, "exit").then(([code]) => code);
  }

  /** The port that it listens on, once it does. */
  async port(): Promise<number> {
    let port: number | undefined;
    await until(() => {
      if (this.child.exitCode !== null) throw new Error(`exited: ${this.errors}`);
      port = Number(/"port":(\d+)/.exec(this.output)?.[1]) || undefined;
      return port !== undefined;
    }, 15_000);
    return port!;
  }

  async stop(): Promise<number | null> {
    this.child.kill("SIGTERM");
    return await this.exited;
  }
}
