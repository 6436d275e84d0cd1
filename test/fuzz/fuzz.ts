import { Random } from "../support/random.ts";

/** The outcome of a text: accepted, or refused correctly. Anything else is thrown as a finding. */
export type Outcome = "taken" | "refused";

/** A part of the gateway that reads foreign input. */
export interface Target {
  readonly name: string;
  /** Number of inputs that explore the target. Tests use a share of them. */
  readonly inputs: number;
  readonly make: (random: Random) => string;
  readonly check: (input: string) => Outcome | Promise<Outcome>;
}

export interface Report {
  readonly inputs: number;
  readonly taken: number;
  readonly perSecond: number;
  readonly slowestMs: number;
  readonly slowest: string;
}

const PROTOTYPE = Object.getOwnPropertyNames(Object.prototype).sort().join();

/** Feeds a target until `isOver`. Throws on a finding, reduced to the text that shows it. */
export async function fuzz(
  target: Target,
  seed: number,
  isOver: (inputs: number, ms: number) => boolean,
): Promise<Report> {
  const random = new Random(seed);
  const startedAt = performance.now();
  let taken = 0;
  let slowestMs = 0;
  let slowest = "";
  let inputs = 0;
  for (let before = startedAt; !isOver(inputs, before - startedAt); ) {
    const input = target.make(random);
    const made = performance.now();
    let outcome: Outcome | Promise<Outcome>;
    try {
      outcome = target.check(input);
      if (typeof outcome !== "string") outcome = await outcome;
      expectCleanPrototype();
    } catch (error) {
      throw await describe(target, seed, input, error);
    }
    before = performance.now();
    if (outcome === "taken") taken++;
    if (before - made > slowestMs) {
      slowestMs = before - made;
      slowest = input;
    }
    inputs++;
  }
  if (Object.getOwnPropertyNames(Object.prototype).sort().join() !== PROTOTYPE) {
    throw new Error(`${target.name}: Object.prototype has other properties than before (seed ${seed})`);
  }
  const perSecond = Math.round(inputs / ((performance.now() - startedAt) / 1000));
  return { inputs, taken, perSecond, slowestMs, slowest: shorten(slowest) };
}

export function summarize(target: Target, seed: number, report: Report): string {
  const { inputs, taken, perSecond, slowestMs, slowest } = report;
  return (
    `fuzz ${target.name}: ${inputs} inputs, ${perSecond}/s, ${Math.round((100 * taken) / inputs)} % taken, ` +
    `slowest ${slowestMs.toFixed(1)} ms (${slowest}), seed ${seed}\n`
  );
}

/** An assignment to the prototype creates an enumerable property, which is cheap to detect. */
function expectCleanPrototype(): void {
  for (const name in {}) throw new Error(`Object.prototype has got a property ${JSON.stringify(name)}`);
}

async function describe(target: Target, seed: number, input: string, error: unknown): Promise<Error> {
  const smallest = await shrink(target, input, placeOf(error));
  const what = error instanceof Error ? error.stack : String(error);
  return new Error(
    `${target.name}, seed ${seed}: ${what}\n` +
      `for ${JSON.stringify(input).slice(0, 2_000)}\n` +
      `and for ${JSON.stringify(smallest).slice(0, 2_000)}: put it into test/fuzz/corpus/${target.name}.json`,
  );
}

/** Removes everything from a text that the finding does not need. */
async function shrink(target: Target, input: string, place: string | undefined): Promise<string> {
  let smallest = input;
  let tries = 0;
  for (let size = Math.ceil(input.length / 2); size >= 1 && tries < 2_000; size = Math.floor(size / 2)) {
    for (let at = 0; at < smallest.length && tries < 2_000; tries++) {
      const shorter = smallest.slice(0, at) + smallest.slice(at + size);
      if ((await findingPlace(target, shorter)) === place) smallest = shorter;
      else at += size;
    }
  }
  return smallest;
}

/** Where the check of a text throws; undefined if it does not. */
async function findingPlace(target: Target, input: string): Promise<string | undefined> {
  try {
    await target.check(input);
    return undefined;
  } catch (error) {
    return placeOf(error);
  }
}

function placeOf(error: unknown): string {
  const stack = (error instanceof Error && error.stack) || String(error);
  return stack.split("\n").find((line) => /^ +at /.test(line)) ?? stack;
}

function shorten(text: string): string {
  const json = JSON.stringify(text);
  return json.length > 60 ? `${json.slice(0, 40)}… of ${text.length}` : json;
}
