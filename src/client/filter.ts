import { isId, isObject } from "../protocol/rules.ts";
import type { PresenceFilter } from "./types.ts";

export interface NormalFilter {
  /** Equal for filters that mean the same. */
  readonly key: string;
  /** As it is sent. A copy: nobody changes it later. What is wrong with it, the gateway says. */
  readonly filter: PresenceFilter;
}

/** All of them: as if the filter did not choose any. */
const ALL_FIELDS = "custom,hasFocus,isTyping,selectedConversationId,sessionId";

/**
 * One form for all filters that mean the same, for bindings to a framework whose filters are written in
 * place. Null and absent are the same, but for the conversation; so are false and absent for what a filter
 * includes; so are lists in any order.
 */
export function normalFilter(given: PresenceFilter): NormalFilter {
  const filter = inOrder(given, (value, name) => {
    if (value === null) return name === "selectedConversationId" ? null : undefined;
    if (name === "custom" && isObject(value)) return inOrder(value, (values) => normalList([values].flat()));
    if (name === "includeInvisible" && given.status) return undefined;
    if (value === false && name.startsWith("include")) return undefined;
    const list = normalList(value);
    return name === "fields" && String(list) === ALL_FIELDS ? undefined : list;
  });
  return { key: JSON.stringify(filter), filter };
}

function inOrder(object: object, normal: (value: unknown, name: string) => unknown) {
  return Object.fromEntries(
    Object.keys(object)
      .sort()
      .map((name) => [name, normal((object as Readonly<Record<string, unknown>>)[name], name)]),
  );
}

/** What is no list stays as it is. */
function normalList(value: unknown): unknown {
  return Array.isArray(value) ? [...new Set(value)].sort() : value;
}

/** Throws a `TypeError` that names what is wrong with the options. */
export function check(isValid: boolean, name: string): asserts isValid {
  if (!isValid) throw new TypeError(`bad ${name}`);
}

/** Throws a `TypeError` for what is no id. */
export function checkId(id: unknown, name: string): void {
  check(isId(id), name);
}
