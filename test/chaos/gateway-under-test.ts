import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { ownPort } from "../programs/own-port.ts";

export interface NodeHealth {
  readonly rssBytes: number;
  readonly heapUsedBytes: number;
  readonly eventLoopDelayMs: { readonly p50: number; readonly p99: number; readonly max: number };
}

/**
 * The installed gateway, in a process that can be paused, resumed, stopped and started again on the same
 * port.
 */
export class GatewayUnderTest {
  readonly #env: Record<string, string>;
  /** Called with each line of its output. */
  readonly #onLine: (line: string) => void;
  /** Called when it exits unexpectedly. */
  readonly #onDeath: (how: string) => void;
  readonly #within: readonly string[];
  #child: ChildProcess | undefined;
  #mayEnd = false;
  port = 0;
  restarts = -1;
  /** The program for the next start: the last build, or another build. */
  program = "dist/main.js";

  /** `within`: a command that runs the program in its own environment. */
  constructor(
    env: Record<string, string>,
    onLine: (line: string) => void,
    onDeath: (how: string) => void,
    within: readonly string[] = [],
  ) {
    this.#within = within;
    this.#env = env;
    this.#onLine = onLine;
    this.#onDeath = onDeath;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async start(): Promise<void> {
    // Clients keep connecting while it is down. A port assigned by the system could go to another gateway.
    if (this.port === 0) this.port = await ownPort();
    this.#mayEnd = false;
    this.restarts++;
    const [command, ...args] = [...this.#within, process.execPath, this.program];
    const child = spawn(command!, args, {
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        TMPDIR: process.env.TMPDIR,
        HOST: "127.0.0.1",
        ...this.#env,
        PORT: String(this.port),
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    let started = (_port: number) => {};
    const listening = new Promise<number>((resolve) => {
      started = resolve;
    });
    const ended = once(child, "exit").then(([code, signal]) => {
      if (!this.#mayEnd) this.#onDeath(`the gateway ended with ${code ?? signal}`);
      return undefined;
    });
    let last = "it printed nothing";
    for (const stream of [child.stdout, child.stderr]) {
      let rest = "";
      stream!.setEncoding("utf8").on("data", (data: string) => {
        const lines = (rest + data).split("\n");
        rest = lines.pop()!;
        for (const line of lines) {
          const port = /"port":(\d+).*"msg":"started"/.exec(line);
          if (port) started(Number(port[1]));
          if (line !== "") last = line.slice(0, 500);
          this.#onLine(line);
        }
      });
    }
    const port = await Promise.race([listening, ended]);
    if (port === undefined) throw new Error(`the gateway did not start; the last that it printed: ${last}`);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Stops it, gracefully or at once. Resolves with the exit code or signal. */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<number | NodeJS.Signals> {
    const child = this.#child!;
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode ?? child.signalCode!;
    this.#mayEnd = true;
    const exited = once(child, "exit");
    child.kill(signal);
    const [code, killed] = await exited;
    return code ?? killed;
  }

  /** Open files; undefined if the system does not report them. */
  files(): number | undefined {
    try {
      return readdirSync(`/proc/${this.pid}/fd`).length;
    } catch {
      return undefined;
    }
  }

  async get(path: string, secret: string): Promise<{ readonly status: number; readonly text: string }> {
    const response = await fetch(`${this.url}${path}`, { headers: { authorization: `Bearer ${secret}` } });
    return { status: response.status, text: await response.text() };
  }

  async node(appId: string, secret: string): Promise<NodeHealth> {
    return JSON.parse((await this.get(`/v1/${appId}/node`, secret)).text);
  }

  // biome-ignore lint/suspicious/noExplicitAny: results of every shape
  async query(appId: string, secret: string, filter: unknown): Promise<any> {
    return Object.assign(Object.create(null), await this.#post(`/v1/${appId}/presences`, secret, filter));
  }

  async count(appId: string, secret: string, filter: unknown): Promise<number> {
    return (await this.#post(`/v1/${appId}/presences/count`, secret, filter)).users;
  }

  // biome-ignore lint/suspicious/noExplicitAny: answers of every shape
  async #post(path: string, secret: string, filter: unknown): Promise<any> {
    for (let tries = 0; ; tries++) {
      try {
        const response = await fetch(`${this.url}${path}`, {
          method: "POST",
          headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
          body: JSON.stringify(filter),
        });
        const body = (await response.json()) as { data?: unknown };
        if (body.data !== undefined) return body.data;
        throw new Error(`answered ${response.status}`);
      } catch (error) {
        // For example, a kept connection from before a restart.
        if (tries === 3) throw error;
        await delay(100);
      }
    }
  }
}
