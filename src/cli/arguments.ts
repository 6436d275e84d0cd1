import { InvalidArgumentError } from "commander";
import { idProblem } from "../protocol/rules.ts";
import { parseDuration } from "./duration.ts";

// Readers of arguments and of values of options. They throw commander's error, which names the argument.

export function readId(text: string): string {
  const problem = idProblem(text);
  if (problem !== undefined) throw new InvalidArgumentError(`It ${problem}.`);
  return text;
}

/** Reads one of several ids. */
export function readIds(text: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, readId(text)];
}

/** A reader of durations such as `90s`. The result is in milliseconds, from 1 s to `maxMs`. */
export function durationUpTo(maxMs: number, maxText: string): (text: string) => number {
  return (text) => {
    const ms = (parseDuration(text) ?? 0) * 1_000;
    if (ms < 1_000 || ms > maxMs) {
      throw new InvalidArgumentError(`It must be such as 90s, 15m or 1h, and at most ${maxText}.`);
    }
    return ms;
  };
}

/** Pairs of a name and a value, as `name=value` on the command line. */
export type Pairs = ReadonlyMap<string, readonly string[]>;

/** Reads one of several `name=value`. A name may be given several times. A value may contain `=`. */
export function readPairs(text: string, previous: Pairs = new Map()): Pairs {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("It must be such as plan=gold.");
  const name = text.slice(0, at);
  return new Map(previous).set(name, [...(previous.get(name) ?? []), text.slice(at + 1)]);
}
