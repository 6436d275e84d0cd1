import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { type Measured, serveRequests } from "../servers/ipc.ts";
import { usageOf } from "./proc.ts";

const START_MS = 10_000;

export interface ForeignServer {
  readonly command: string;
  readonly args: readonly string[];
  readonly port: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Makes the process collect its garbage, if it has a garbage collector. */
  collect?(pid: number): void;
  /** Removes its temporary files. */
  cleanUp?(): void;
}

/**
 * Runs a server that is not in Node as a child. This process serves the benchmark's requests and ends with
 * the child.
 */
export async function serveForeign(server: ForeignServer): Promise<void> {
  const { command, args, port } = server;
  const child = spawn(command, args, {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, ...server.env },
  });
  child.on("error", (error) => fail(error.message));
  const onExit = (code: number | null) => fail(`${command} exited unexpectedly with ${code}`);
  child.on("exit", onExit);
  process.on("exit", () => {
    child.kill();
    server.cleanUp?.();
  });
  await listening(port);
  const measured: Measured = {
    usage: () => usageOf(child.pid!),
    async collectGarbage() {
      server.collect?.(child.pid!);
      await delay(500);
    },
    async end() {
      child.off("exit", onExit);
      child.kill();
      if (child.exitCode === null) await once(child, "exit");
    },
  };
  serveRequests(port, undefined, measured);
}

async function listening(port: number): Promise<void> {
  const deadline = performance.now() + START_MS;
  while (performance.now() < deadline) {
    const tcp = connect(port, "127.0.0.1");
    const isOpen = await once(tcp, "connect").then(
      () => true,
      () => false,
    );
    tcp.destroy();
    if (isOpen) return;
    await delay(20);
  }
  fail("the server does not listen");
}

function fail(reason: string): never {
  process.stderr.write(`bench: ${reason}\n`);
  process.exit(1);
}
