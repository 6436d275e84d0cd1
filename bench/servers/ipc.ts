import { monitorEventLoopDelay } from "node:perf_hooks";

/** What the process of the benchmark asks a server under test. */
export type Question =
  | { readonly ask: "usage" }
  /** As "usage", but all garbage is collected first. */
  | { readonly ask: "settled-usage" }
  /** What the floors answer to a query, or send to subscribers: the bytes that the gateway would. */
  | { readonly ask: "say"; readonly text: string }
  | { readonly ask: "loop-delay" }
  | { readonly ask: "stop" };

export interface Usage {
  /** User and system time of the whole process, with its helper threads. */
  readonly cpuMicros: number;
  readonly rssBytes: number;
  /** Of a server in Node. */
  readonly heapBytes?: number;
}

/** How late the event loop was since it was asked before; begins to look when it is asked first. */
export interface LoopDelay {
  readonly p99Ms: number;
}

export type Answer = { readonly port: number } | Usage | LoopDelay;

/** Whose usage is told: that of the process itself, or of another that it looks after. */
export interface Measured {
  usage(): Usage;
  /** Collects garbage. */
  settle(): Promise<void>;
  /** Ends the other process. */
  end?(): Promise<void>;
}

const self: Measured = { usage, settle };

/** Serves the questions in the process under test; the first thing said is the port. */
export function serveQuestions(
  port: number,
  say: (text: string) => void = () => {},
  measured: Measured = self,
): void {
  const end = async () => {
    await measured.end?.();
    process.exit(0);
  };
  process.on("message", async (question: Question) => {
    if (question.ask === "stop") return end();
    if (question.ask === "say") say(question.text);
    if (question.ask === "settled-usage") await measured.settle();
    process.send!(question.ask === "loop-delay" ? readLoopDelay() : measured.usage());
  });
  process.on("disconnect", end);
  process.send!({ port } satisfies Answer);
}

export function usage(): Required<Usage> {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  return { cpuMicros: user + system, rssBytes: rss, heapBytes: heapUsed };
}

const LOOP_RESOLUTION_MS = 10;
const loopDelay = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });

function readLoopDelay(): LoopDelay {
  loopDelay.enable();
  // It counts the whole time from tick to tick.
  const p99Ms = Math.max(0, loopDelay.percentile(99) / 1e6 - LOOP_RESOLUTION_MS);
  loopDelay.reset();
  return { p99Ms };
}

/** Collects garbage until no more comes off; needs `--expose-gc`. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 4; i++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
