import type { ServerKind } from "../servers/server-kind.ts";
import type { Effort } from "./scenario.ts";

/** The kinds for long scenarios. Only full runs include the second transport. */
export function shortList(kinds: readonly ServerKind[], effort: Effort): readonly ServerKind[] {
  const first = kinds.find(({ role }) => role === "gateway");
  if (effort === "full" || first === undefined) return kinds;
  return kinds.filter((kind) => kind.role === "peer" || kind === first || kind.name === first.baseline);
}

/** The gateways among them. */
export function shortListOfGateways(kinds: readonly ServerKind[], effort: Effort): readonly ServerKind[] {
  return shortList(kinds, effort).filter(({ role }) => role === "gateway");
}
