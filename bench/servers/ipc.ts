import { monitorEventLoopDelay } from "node:perf_hooks";

/** A request from the benchmark to a server under test. */
export type ServerRequest =
  | { readonly type: "usage" }
  /** Like "usage", after a garbage collection. */
  | { readonly type: "usage-after-gc" }
  /** Gives a server what it needs for the scenario; see `RunningServer.prepare`. */
  | { readonly type: "prepare"; readonly text: string }
  | { readonly type: "loop-delay" }
  | { readonly type: "stop" };

export interface Usage {
  /** User and system time of the whole process, including its helper threads. */
  readonly cpuMicros: number;
  readonly rssBytes: number;
  /** Only for a server in Node. */
  readonly heapBytes?: number;
  /** The part of `cpuMicros` that each worker has used, in the order of their numbers. */
  readonly workersCpuMicros?: readonly number[];
}

/** Resources used by a process that measures itself. */
export type OwnUsage = Required<Omit<Usage, "workersCpuMicros">>;

/** Delay of the event loop since the previous request. The first request starts the measurement. */
export interface LoopDelay {
  readonly p99Ms: number;
}

export type ServerReply = { readonly port: number } | Usage | LoopDelay;

/** The measured process: this process, or a child of it. */
export interface Measured {
  usage(): Usage;
  /** Makes the process collect its garbage. */
  collectGarbage(): Promise<void>;
  /** Ends the child process. */
  end?(): Promise<void>;
}

const self: Measured = { usage, collectGarbage };

/**
 * Serves the benchmark's requests in the process under test. The first message to the benchmark is the port.
 */
export function serveRequests(
  port: number,
  prepare: (text: string) => void = () => {},
  measured: Measured = self,
): void {
  const end = async () => {
    await measured.end?.();
    process.exit(0);
  };
  process.on("message", async (request: ServerRequest) => {
    if (request.type === "stop") return end();
    if (request.type === "prepare") prepare(request.text);
    if (request.type === "usage-after-gc") await measured.collectGarbage();
    process.send!(request.type === "loop-delay" ? readLoopDelay() : measured.usage());
  });
  process.on("disconnect", end);
  process.send!({ port } satisfies ServerReply);
}

export function usage(): OwnUsage {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  return { cpuMicros: user + system, rssBytes: rss, heapBytes: heapUsed };
}

const LOOP_RESOLUTION_MS = 10;
const loopDelay = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });

function readLoopDelay(): LoopDelay {
  loopDelay.enable();
  // The histogram contains the whole time between ticks, not only the delay.
  const p99Ms = Math.max(0, loopDelay.percentile(99) / 1e6 - LOOP_RESOLUTION_MS);
  loopDelay.reset();
  return { p99Ms };
}

/** Collects garbage several times, because finalizers free more. Needs `--expose-gc`. */
export async function collectGarbage(): Promise<void> {
  for (let i = 0; i < 4; i++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
