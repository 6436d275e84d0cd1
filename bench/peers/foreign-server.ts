import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { type Measured, serveQuestions } from "../servers/ipc.ts";
import { usageOf } from "./proc.ts";

const START_MS = 10_000;

export interface ForeignServer {
  readonly command: string;
  readonly args: readonly string[];
  readonly port: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Makes the process collect its garbage, if it has any. */
  collect?(pid: number): void;
  /** Removes what was made for it. */
  cleanUp?(): void;
}

/** Runs a server that is not Node's as a child of this process, which answers for it and ends with it. */
export async function serveForeign(server: ForeignServer): Promise<void> {
  const { command, args, port } = server;
  const child = spawn(command, args, {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, ...server.env },
  });
  child.on("error", (error) => fail(error.message));
  const onExit = (code: number | null) => fail(`${command} has ended by itself with ${code}`);
  child.on("exit", onExit);
  process.on("exit", () => {
    child.kill();
    server.cleanUp?.();
  });
  await listening(port);
  const measured: Measured = {
    usage: () => usageOf(child.pid!),
    async settle() {
      server.collect?.(child.pid!);
      await delay(500);
    },
    async end() {
      child.off("exit", onExit);
      child.kill();
      if (child.exitCode === null) await once(child, "exit");
    },
  };
  serveQuestions(port, undefined, measured);
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
  fail("it does not listen");
}

function fail(reason: string): never {
  process.stderr.write(`bench: ${reason}\n`);
  process.exit(1);
}
