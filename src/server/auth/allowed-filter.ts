import { CompiledFilter } from "../../core/views/compiled-filter.ts";
import type { Filter } from "../../protocol/filter.ts";
import type { Issue } from "../../protocol/wire.ts";
import type { App } from "./app.ts";
import { customFilterProblem } from "./custom-filter-problem.ts";
import { mayWatch, type Principal } from "./principal.ts";

export type AllowedFilter =
  | { readonly ok: true; readonly filter: CompiledFilter }
  | { readonly ok: false; readonly code: "FORBIDDEN"; readonly message: string }
  | { readonly ok: false; readonly code: "BAD_MESSAGE"; readonly issue: Issue };

/** Compiles a filter for a client of an app, if the client may ask for its result. */
export function allowFilter(app: App, principal: Principal, filter: Filter, isCount = false): AllowedFilter {
  const problem = customFilterProblem(app, filter);
  if (problem !== undefined) return { ok: false, code: "BAD_MESSAGE", issue: problem };
  const showsInvisible = filter.includeInvisible === true || isOwn(principal, filter);
  const compiled = new CompiledFilter(filter, { showsInvisible, isCount });
  if (filter.includeInvisible && principal.kind === "user") {
    return { ok: false, code: "FORBIDDEN", message: "includeInvisible is for app tokens and secrets only" };
  }
  if (mayWatch(principal, compiled)) return { ok: true, filter: compiled };
  const hint = "ask for granted userIds, or for a granted selectedConversationId";
  return { ok: false, code: "FORBIDDEN", message: `the token does not allow this filter: ${hint}` };
}

/** Users see themselves while they are invisible. */
function isOwn(principal: Principal, { userIds }: Filter): boolean {
  return (
    principal.kind === "user" &&
    userIds !== undefined &&
    userIds.length > 0 &&
    userIds.every((userId) => userId === principal.userId)
  );
}
