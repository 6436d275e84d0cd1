import type { z } from "zod";

/** What is wrong with one field. */
export interface FieldIssue {
  /** The names that lead to the field; empty: the object as a whole. */
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** Longer names are cut where an error repeats them. */
const MAX_SHOWN = 64;
/** An object may have thousands of unknown fields. The error names the first of them. */
const MAX_NAMED = 10;
const IS_UNKNOWN = "is not known here";

/**
 * The `error` option of a strict object with these fields. Its message has a line for each unknown field, in
 * their order, which `unknownFieldIssues` takes apart.
 */
export function namesUnknownFields(known: readonly string[]): z.core.$ZodErrorMap {
  return (issue) => {
    if (issue.code !== "unrecognized_keys") return undefined;
    return issue.keys
      .slice(0, MAX_NAMED)
      .map((field) => unknownField(field, known))
      .join("\n");
  };
}

/** An issue for each unknown field that one issue of zod lists. */
export function unknownFieldIssues({ path, keys, message }: z.core.$ZodIssueUnrecognizedKeys): FieldIssue[] {
  const messages = message.split("\n");
  return keys
    .slice(0, MAX_NAMED)
    .map((field, i) => ({ path: [...path, shown(field)], message: messages[i] ?? IS_UNKNOWN }));
}

/** What is wrong with a field of this name, and which of the known ones was probably meant. */
export function unknownField(name: string, known: readonly string[]): string {
  const meant = probablyMeant(name, known);
  return meant === undefined
    ? `${IS_UNKNOWN}: there are ${known.join(", ")}`
    : `${IS_UNKNOWN}: did you mean ${meant}?`;
}

/** The name as an error may repeat it. */
export function shown(name: string): string {
  return name.length > MAX_SHOWN ? `${name.slice(0, MAX_SHOWN)}…` : name;
}

/** The known name that is nearest to this one; undefined if none is near. */
export function probablyMeant(name: string, known: readonly string[]): string | undefined {
  if (name.length > MAX_SHOWN) return undefined;
  const given = plain(name);
  let nearest: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const each of known) {
    const candidate = plain(each);
    const isPart =
      Math.min(given.length, candidate.length) >= 3 &&
      (candidate.includes(given) || given.includes(candidate));
    const edits = editDistance(given, candidate);
    const isNear = isPart || edits <= Math.max(1, Math.floor(candidate.length / 4));
    if (!isNear || edits >= least) continue;
    nearest = each;
    least = edits;
  }
  return nearest;
}

/** `user_ids`, `User-IDs` and `userIds` are one name. */
function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, "");
}

/** How many characters must be added, removed or replaced to make one text of the other. */
export function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}
