import { IGNORED_FIELD } from "../../protocol/filter.ts";
import { type FieldIssue, shown, unknownField } from "../../protocol/unknown-fields.ts";
import type { Reasons } from "./exchange.ts";

export type ReadParameters =
  | { readonly ok: true; readonly parameters: URLSearchParams }
  | { readonly ok: false; readonly reasons: Reasons };

/** A URL may have thousands of them. The error names the first. */
const MAX_ISSUES = 10;

/**
 * Reads the query of a URL that may have these parameters, each of them once. Any other is an error. `hint`
 * says what to do with one that belongs elsewhere.
 */
export function readParameters(
  query: string,
  known: readonly string[],
  hint: (name: string) => string | undefined = () => undefined,
): ReadParameters {
  try {
    // URLSearchParams replaces bytes that are not UTF-8, and so would make another id of this one.
    decodeURIComponent(query);
  } catch {
    return { ok: false, reasons: { [known[0] ?? "query"]: ["is not URL-encoded UTF-8"] } };
  }
  const parameters = new URLSearchParams(query);
  const issues: FieldIssue[] = [];
  for (const name of new Set(parameters.keys())) {
    if (name === IGNORED_FIELD) continue;
    const isKnown = known.includes(name);
    if (isKnown && parameters.getAll(name).length === 1) continue;
    const message = isKnown ? "must be there once" : (hint(name) ?? unknownField(name, known));
    issues.push({ path: [shown(name)], message });
    if (issues.length === MAX_ISSUES) break;
  }
  return issues.length === 0 ? { ok: true, parameters } : { ok: false, reasons: reasonsOf(issues) };
}

/** Issues by the field that they are about. `whole`: the name of the object that has the fields. */
export function reasonsOf(issues: readonly FieldIssue[], whole = ""): Reasons {
  const reasons = new Map<string, string[]>();
  for (const { path, message } of issues) {
    const [field = whole, ...rest] = path.map(String);
    const where = rest.length > 0 ? `${rest.join(".")}: ` : "";
    reasons.set(field, [...(reasons.get(field) ?? []), where + message]);
  }
  // A field may be named `__proto__`.
  return Object.fromEntries(reasons);
}
