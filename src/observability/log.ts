import { constants, fstatSync, openSync } from "node:fs";
import { destination, type Logger, pino } from "pino";
import type { Refusal } from "../gateway/telemetry.ts";

/** How long the last lines may take. */
const LAST_LINES_MS = 500;
/** What may wait for a reader who is slow; lines after it are lost. */
const MAX_WAITING = 1024 * 1024;

export interface Log {
  readonly logger: Logger;
  /** Resolves when the last lines are out, or when that takes too long; nothing is logged after it. */
  end(): Promise<void>;
}

/**
 * The log: JSON lines on standard output, so control characters arrive escaped. Nothing that a client sent is ever
 * handed to it: no token, no secret, no custom field. A full disk or a reader that is gone silences it and does nothing
 * else: the output would throw at each write, and at exit try for ever.
 */
export function createLog(level: string): Log {
  // With a minLength of 0, flush would wait for nothing.
  const output = destination({
    dest: standardOutput(),
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

/**
 * Standard output such that no write waits in it. One that waits for the reader of a full pipe holds a thread for as long,
 * and a process that is to end waits for its threads. A pipe is opened anew for that, as those who share it want it as it is.
 */
function standardOutput(): number {
  try {
    if (fstatSync(1).isFIFO()) return openSync("/proc/self/fd/1", constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    // It is closed, its reader has gone, or this is no Linux.
  }
  return 1;
}

const SAMPLE_MS = 1_000;

/** Logs refusals, at most one line a second for each reason, with the number that it stands for. */
export function createRefusalLog(
  log: Logger,
  now: () => number,
): (refusal: Refusal, detail: string | undefined) => void {
  const byReason = new Map<Refusal, { loggedAt: number; unlogged: number }>();
  return (refusal, detail) => {
    const at = now();
    let sample = byReason.get(refusal);
    if (sample === undefined) {
      sample = { loggedAt: Number.NEGATIVE_INFINITY, unlogged: 0 };
      byReason.set(refusal, sample);
    }
    sample.unlogged++;
    if (at - sample.loggedAt < SAMPLE_MS) return;
    log.info({ refusal, detail, count: sample.unlogged }, "refused");
    sample.loggedAt = at;
    sample.unlogged = 0;
  };
}
