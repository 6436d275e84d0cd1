import type { PresenceFilter } from "../../client/types.ts";

/** Values by name of a custom field: the field has one of its values, for every name. */
export type CustomFilter = NonNullable<PresenceFilter["custom"]>;

/** A name and one of its values. */
export type CustomPair = readonly [name: string, value: string];

/** The gateway takes no more. */
const MOST_NAMES = 4;
const MOST_VALUES = 16;

/** Each name with each of its values. */
export function pairsOf(filter: CustomFilter): CustomPair[] {
  return Object.entries(filter).flatMap(([name, values]) =>
    [values].flat().map((value): CustomPair => [name, value]),
  );
}

/** Reads `name=value`. The name ends at the first `=`, and the value may be empty. */
export function readPair(text: string): CustomPair | undefined {
  const at = text.indexOf("=");
  return at < 1 ? undefined : [text.slice(0, at).trim(), text.slice(at + 1).trim()];
}

/** The filter with another value. Undefined if the gateway would not take so many. */
export function addPair(filter: CustomFilter, pair: CustomPair): CustomFilter | undefined {
  return toFilter([...pairsOf(filter), pair]);
}

/** The filter without a value. Undefined if nothing is left. */
export function removePair(filter: CustomFilter, [name, value]: CustomPair): CustomFilter | undefined {
  const left = pairsOf(filter).filter((pair) => pair[0] !== name || pair[1] !== value);
  return left.length > 0 ? toFilter(left) : undefined;
}

function toFilter(pairs: readonly CustomPair[]): CustomFilter | undefined {
  const values = new Map<string, Set<string>>();
  for (const [name, value] of pairs) values.set(name, (values.get(name) ?? new Set()).add(value));
  if (values.size > MOST_NAMES || [...values.values()].some(({ size }) => size > MOST_VALUES))
    return undefined;
  return Object.fromEntries([...values].map(([name, set]) => [name, [...set]]));
}
