import { destination, type Logger, pino } from "pino";
import type { Refusal } from "../gateway/telemetry.ts";

/**
 * The log: JSON lines on standard output, so control characters arrive escaped. Nothing that a client sent is ever
 * handed to it: no token, no secret, no custom field.
 */
export function createLog(level: string): Logger {
  const output = destination({ dest: 1, sync: false, minLength: 0 });
  // A full disk or a closed pipe must not take the gateway down.
  output.on("error", () => {});
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, output);
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
