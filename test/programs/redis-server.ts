import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { ownPort } from "./own-port.ts";

/** Why tests that need redis-server cannot run here. Without it, CI fails unless REDIS_TESTS is "off". */
export function whyNoRedis(): string | undefined {
  if (process.env.REDIS_TESTS === "off") return "REDIS_TESTS is off";
  if (spawnSync("redis-server", ["--version"]).status === 0) return undefined;
  if (process.env.CI) throw new Error("redis-server is not installed (REDIS_TESTS=off goes without)");
  return "redis-server is not installed";
}

/** A redis-server for one test or benchmark, on its own port. By default it stores nothing on disk. */
export class RedisServer {
  readonly port: number;
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;

  private constructor(port: number, args: readonly string[]) {
    this.port = port;
    this.#args = args;
  }

  static async start(args: readonly string[] = []): Promise<RedisServer> {
    const server = new RedisServer(await ownPort(), args);
    await server.startAgain();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.#child!.pid!;
  }

  /** Starts the server again with the same port and arguments, unless it runs. */
  async startAgain(): Promise<void> {
    if (this.#child !== undefined) return;
    const own = ["--port", String(this.port), "--bind", "127.0.0.1", "--save", "", "--daemonize", "no"];
    const child = spawn("redis-server", [...own, ...this.#args], { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    let output = "";
    await new Promise<void>((resolve, reject) => {
      const isReady = () => output.includes("Ready to accept connections");
      for (const stream of [child.stdout!, child.stderr!])
        stream.setEncoding("utf8").on("data", (data: string) => {
          if (isReady()) return;
          output += data;
          if (isReady()) resolve();
        });
      child.once("error", reject);
      // After all of its output has been read.
      child.once("close", (code, signal) => {
        if (this.#child === child) this.#child = undefined;
        reject(new Error(`redis-server did not start, or ended with ${code ?? signal}:\n${output}`));
      });
    });
  }

  /** Pauses the process. It then looks like a machine that does not respond. */
  freeze(): void {
    this.#child!.kill("SIGSTOP");
  }

  thaw(): void {
    this.#child!.kill("SIGCONT");
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }
}

/** The Redis user that docs/operations.md describes for a gateway: its name, then its rules. */
export function documentedUser(): string {
  const page = readFileSync(new URL("../../docs/operations.md", import.meta.url), "utf8");
  return /^ACL SETUSER (presence .*)$/m.exec(page)![1]!;
}
