import type { ScenarioResult } from "../measure/result.ts";
import type { Target } from "../measure/scenario.ts";
import { format, type Spread, spreadOf } from "../measure/statistics.ts";

/** The row of one contender in the table of a figure. */
export interface Row {
  readonly contender: string;
  readonly value: Spread;
  /** Ratio to the value of another contender, round by round. */
  readonly ratio?: Spread & { readonly to: string };
}

export interface FigureTable {
  readonly figure: string;
  readonly rows: readonly Row[];
}

/**
 * One table per figure, in the order in which the rounds first report them. A contender may lack some
 * figures.
 */
export function tablesOf({ contenders }: ScenarioResult): FigureTable[] {
  const figures = new Set(contenders.flatMap(({ rounds }) => rounds.flatMap((round) => Object.keys(round))));
  return [...figures].map((figure) => {
    const values = new Map<string, readonly number[]>();
    for (const { name, rounds } of contenders) {
      const found = rounds.map((round) => round[figure]).filter((value) => value !== undefined);
      if (found.length > 0) values.set(name, found);
    }
    const rows = contenders
      .filter(({ name }) => values.has(name))
      .map(({ name, baseline }): Row => {
        const ratio = baseline === undefined ? undefined : ratioOf(values.get(name), values.get(baseline));
        const row = { contender: name, value: spreadOf(values.get(name)!) };
        return ratio === undefined ? row : { ...row, ratio: { ...ratio, to: baseline! } };
      });
    return { figure, rows };
  });
}

/** Ratios of values from the same round. A slow minute of the machine affects both values and cancels out. */
function ratioOf(
  values: readonly number[] | undefined,
  others: readonly number[] | undefined,
): Spread | undefined {
  const ratios = values?.flatMap((value, i) => (others?.[i] ? [value / others[i]] : [])) ?? [];
  return ratios.length > 0 ? spreadOf(ratios) : undefined;
}

export interface Verdict {
  readonly target: Target;
  /** Undefined if this run did not measure it. */
  readonly value: number | undefined;
  readonly isMet: boolean;
  /** Whether it is too far from the target to be explained by a shared machine. */
  readonly isFar: boolean;
}

const FAR = 2;

export function verdictsOf(result: ScenarioResult): Verdict[] {
  return result.targets.map((target) => {
    const value = measured(target, result);
    const { over, atMost = Number.POSITIVE_INFINITY, atLeast = Number.NEGATIVE_INFINITY } = target;
    const isMet = value !== undefined && value <= atMost && value >= atLeast;
    // A ratio is comparable between machines. A duration is not.
    const isPortable = over !== undefined;
    const isFar = isPortable && value !== undefined && (value > FAR * atMost || value < atLeast / FAR);
    return { target, value, isMet, isFar };
  });
}

function measured(target: Target, { contenders }: ScenarioResult): number | undefined {
  const { figure, of, over } = target;
  const values = (name: string | undefined) =>
    contenders
      .find((each) => each.name === name)
      ?.rounds.map((round) => round[figure])
      .filter((value) => value !== undefined);
  const own = values(of);
  if (own === undefined || own.length === 0) return undefined;
  // A target of zero must be met in every round.
  if (target.atMost === 0) return spreadOf(own).max;
  return over === undefined ? spreadOf(own).median : ratioOf(own, values(over))?.median;
}

/** The target in words, for example `at most 1.15 × baseline-uws`. */
export function inWords({ over, atMost, atLeast }: Target): string {
  const bound = atMost === undefined ? `at least ${short(atLeast!)}` : `at most ${short(atMost)}`;
  return over === undefined ? bound : `${bound} × ${over}`;
}

/** `met`, or the distance from the target in words. */
export function distance({ target, value, isMet }: Verdict): string {
  if (value === undefined) return "not measured";
  if (isMet) return "met";
  const { atMost, atLeast } = target;
  if (atMost === 0) return `missed: ${format(value)}`;
  const percent = 100 * (atMost !== undefined ? value / atMost - 1 : 1 - value / atLeast!);
  return `missed by ${format(percent)} %`;
}

export function formatRange({ min, max }: Spread): string {
  return `${format(min)} – ${format(max)}`;
}

function short(value: number): string {
  return value.toLocaleString("en-US");
}
