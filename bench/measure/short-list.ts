import type { ServerKind } from "../servers/server-kind.ts";
import type { Effort } from "./scenario.ts";

/** For long scenarios, which go without the second transport in all but full runs. */
export function shortList(kinds: readonly ServerKind[], effort: Effort): readonly ServerKind[] {
  const first = kinds.find(({ role }) => role === "gateway");
  if (effort === "full" || first === undefined) return kinds;
  return kinds.filter((kind) => kind.role === "peer" || kind === first || kind.name === first.floor);
}
