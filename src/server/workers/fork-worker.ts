import type { ChildProcess } from "node:child_process";
import cluster from "node:cluster";
import { ipcChannel } from "./ipc-channel.ts";
import type { FromWorker } from "./messages.ts";
import type { WorkerEvents, WorkerProcess } from "./worker-pool.ts";

/** The variable by which a process knows that it is a worker. */
export const WORKER_VARIABLE = "PRESENCE_GATEWAY_WORKER";
/** The topic of what the first process and a worker tell each other about the worker. */
export const CONTROL = "control";
/** The topic of the log that workers share. */
export const LOG = "log";

/** A worker that has just been started. */
export interface ForkedWorker {
  readonly child: ChildProcess;
  readonly process: WorkerProcess;
}

/**
 * Starts this program again, as a worker. `node:cluster` lets servers of node:http listen on one socket where
 * Node has no SO_REUSEPORT. The first process accepts no connection for them: one that it hands to a worker
 * that ends would stay open without an answer, and so would its file.
 */
export function forkWorker(number: number, nodeId: string, events: WorkerEvents): ForkedWorker {
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  // It costs the first process half of what JSON does.
  cluster.setupPrimary({ serialization: "advanced" });
  const worker = cluster.fork({ [WORKER_VARIABLE]: String(number) });
  const { process: child } = worker;
  const channel = ipcChannel(child, CONTROL);
  channel.onMessage((message) => events.message(message as FromWorker));
  // What the worker said last may come after its end.
  const ended = new Promise<string>((resolve) => {
    child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
    // The system starts no more processes, for example.
    if (child.pid === undefined) worker.once("error", ({ message }) => resolve(message));
  });
  channel.onClose(async () => events.ended(await ended));
  return {
    child,
    process: {
      nodeId,
      pid: child.pid,
      send: (message) => channel.send(message),
      kill: () => void child.kill("SIGKILL"),
    },
  };
}
