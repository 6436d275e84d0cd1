import { destination, type Logger, pino } from "pino";
import type { Refusal } from "../gateway/telemetry.ts";
import { nonBlockingStdout } from "../internals/non-blocking-stdout.ts";

/** How long `end` waits for the last lines. */
const LAST_LINES_MS = 500;
/** Bytes that may wait for a slow reader of the log. Lines beyond it are lost. */
const MAX_WAITING = 1024 * 1024;

export interface Log {
  readonly logger: Logger;
  /** Resolves when the last lines are written, or after half a second. Nothing is logged after it. */
  end(): Promise<void>;
}

/**
 * The log: JSON lines on standard output, so control characters are escaped. Callers never log what a client
 * sent: no token, no secret, no custom field. A full disk or a reader that has gone silences the log, and the
 * process goes on. Otherwise the output would throw at each write, and would try for ever at exit.
 */
export function createLog(level: string): Log {
  // With a minLength of 0, flush does not wait.
  const output = destination({
    dest: nonBlockingStdout(),
    sync: false,
    minLength: 1,
    maxLength: MAX_WAITING,
  });
  let isOver = false;
  const silence = () => {
    isOver = true;
    output.flushSync = () => {};
  };
  output.on("error", silence);
  const stream = {
    write(line: string): void {
      if (isOver) return;
      try {
        output.write(line);
      } catch {
        silence();
      }
    },
  };
  return {
    logger: pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, stream),
    async end() {
      if (isOver) return;
      await new Promise<void>((resolve) => {
        setTimeout(resolve, LAST_LINES_MS);
        output.flush(() => resolve());
      });
      silence();
    },
  };
}

const SAMPLE_MS = 1_000;
/** Kinds of crash that are logged apart. All others are one kind, so that no defect can fill the memory. */
const MAX_CRASH_KINDS = 100;
/** The number of stack frames that tell crashes of one name apart. */
const CALLERS = 4;

/** Samples the events of one kind for the log. */
class Sample {
  #loggedAt = Number.NEGATIVE_INFINITY;
  #unlogged = 0;

  /** Counts an event. Returns the number of events that a line now stands for; undefined: log no line. */
  take(now: number): number | undefined {
    this.#unlogged++;
    if (now - this.#loggedAt < SAMPLE_MS) return undefined;
    const count = this.#unlogged;
    this.#loggedAt = now;
    this.#unlogged = 0;
    return count;
  }
}

/**
 * Logs refusals: at most one line a second for each reason, with the number of refusals that it stands for.
 */
export function createRefusalLog(
  log: Logger,
  now: () => number,
): (refusal: Refusal, detail: string | undefined) => void {
  const byReason = new Map<Refusal, Sample>();
  return (refusal, detail) => {
    const count = sampleOf(byReason, refusal).take(now());
    if (count !== undefined) log.info({ refusal, detail, count }, "refused");
  };
}

/** Logs crashes of handlers: at most one line a second for each kind, with the number that it stands for. */
export function createCrashLog(log: Logger, now: () => number): (error: unknown) => void {
  const byKind = new Map<string, Sample>();
  return (error) => {
    const kind = kindOf(error);
    const known = byKind.size < MAX_CRASH_KINDS || byKind.has(kind) ? kind : "other";
    const count = sampleOf(byKind, known).take(now());
    if (count !== undefined) log.error({ err: error, count }, "a handler crashed: a defect");
  };
}

/** The kind of a crash: its name and its innermost stack frames. Its message may differ each time. */
function kindOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const places = error.stack?.split("\n").filter((line) => /^ +at /.test(line)) ?? [];
  return [error.name, ...places.slice(0, CALLERS)].join("");
}

function sampleOf<Kind>(samples: Map<Kind, Sample>, kind: Kind): Sample {
  let sample = samples.get(kind);
  if (sample === undefined) {
    sample = new Sample();
    samples.set(kind, sample);
  }
  return sample;
}
