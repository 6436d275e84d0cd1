import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { until } from "./until.ts";

export const PROJECT = fileURLToPath(new URL("../..", import.meta.url));

/** The installed program, in its own process. */
export class CliProcess {
  readonly child: ChildProcess;
  output = "";
  errors = "";
  /** The exit code, or the signal that ended the process. */
  readonly exited: Promise<number | NodeJS.Signals>;

  /** @param program The program to run; by default the last build. */
  constructor(env: Record<string, string> = {}, args: readonly string[] = [], program?: string) {
    const [file, ...first] = program === undefined ? [process.execPath, "dist/main.js"] : [program];
    this.child = spawn(file!, [...first, ...args], {
      cwd: PROJECT,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: process.env.TMPDIR, PORT: "0", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child.stdout!.setEncoding("utf8").on("data", (data) => {
      this.output += data;
    });
    this.child.stderr!.setEncoding("utf8").on("data", (data) => {
      this.errors += data;
    });
    this.exited = once(this.child, "close").then(([code, signal]) => code ?? signal);
  }

  /** Waits until standard output matches. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    const said = () => `it said:\n${this.output}\n${this.errors}`;
    let ended: number | NodeJS.Signals | undefined;
    void this.exited.then((how) => {
      ended = how;
    });
    await until(() => {
      if (pattern.test(this.output)) return true;
      if (ended !== undefined)
        throw new Error(`it ended with ${ended} and never printed ${pattern}; ${said()}`);
      return false;
    }).catch((error) => {
      throw ended === undefined ? new Error(`it does not print ${pattern}; ${said()}`) : error;
    });
    return pattern.exec(this.output)!;
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | NodeJS.Signals> {
    this.child.kill(signal);
    return await this.exited;
  }
}

/** A gateway, as `npm start` runs it after a build. */
export class GatewayProcess extends CliProcess {
  /** The port, once the gateway listens. */
  async port(): Promise<number> {
    return Number((await this.printed(/"port":(\d+).*"msg":"started"/))[1]);
  }
}

export interface CliRun {
  readonly code: number | NodeJS.Signals;
  readonly output: string;
  readonly errors: string;
}

/** Runs a command to its end. */
export async function runCli(args: readonly string[], env: Record<string, string> = {}): Promise<CliRun> {
  const run = new CliProcess(env, args);
  const code = await run.exited;
  return { code, output: run.output, errors: run.errors };
}
