import { type ChildProcess, fork, type Serializable } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "vite";
import { ipcChannel } from "../../../src/server/workers/ipc-channel.ts";
import type { LogServer } from "../../../src/server/workers/log-server.ts";
import { PROJECT } from "../../support/process.ts";
import type { WorkerNode } from "./worker-node.ts";

/** The program of a worker, as one file that Node runs. */
export class WorkerProgram {
  readonly path: string;
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.path = join(folder, "worker-program.mjs");
  }

  static async build(): Promise<WorkerProgram> {
    const folder = await mkdtemp(join(tmpdir(), "presence-worker-"));
    const program = new WorkerProgram(folder);
    await build({
      configFile: false,
      envFile: false,
      logLevel: "silent",
      root: PROJECT,
      ssr: { noExternal: true },
      build: {
        ssr: join(PROJECT, "test/server/workers/worker-program.ts"),
        outDir: folder,
        emptyOutDir: false,
        target: "node20",
        rolldownOptions: { output: { entryFileNames: "worker-program.mjs", codeSplitting: false } },
      },
    });
    return program;
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true });
  }
}

export interface WorkerReport {
  readonly isReady: boolean;
  readonly shown: WorkerNode["shown"];
  readonly log: readonly string[];
}

/** A worker in a process of its own, whose log is in this process. */
export class ForkedWorker {
  readonly child: ChildProcess;
  readonly #answers: ((report: WorkerReport) => void)[] = [];

  constructor(program: WorkerProgram, nodeId: string, server: LogServer, serialization: "json" | "advanced") {
    this.child = fork(program.path, { env: { NODE_ID: nodeId }, serialization });
    server.serve(ipcChannel(this.child, "log"), nodeId);
    ipcChannel(this.child, "orders").onMessage((report) => this.#answers.shift()?.(report as WorkerReport));
  }

  /** Has it do something; the report is of the moment after it. */
  async do(...order: readonly Serializable[]): Promise<WorkerReport> {
    return await new Promise((resolve) => {
      this.#answers.push(resolve);
      ipcChannel(this.child, "orders").send(order);
    });
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill("SIGKILL");
    await once(this.child, "exit");
  }
}
