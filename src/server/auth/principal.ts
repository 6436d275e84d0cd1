import type { CompiledFilter } from "../../core/views/compiled-filter.ts";

/** Whom a user may watch besides themselves. */
export type Grant =
  | { readonly kind: "all" }
  | {
      readonly kind: "some";
      readonly userIds: ReadonlySet<string>;
      readonly conversationIds: ReadonlySet<string>;
      /** The number of users in any result. */
      readonly counts: boolean;
    };

/** The identity that a verified token or secret proves. `exp`: seconds since 1970. */
export type Principal =
  | { readonly kind: "app"; readonly exp: number | undefined }
  | {
      readonly kind: "user";
      readonly userId: string;
      readonly grant: Grant;
      readonly exp: number | undefined;
    };

/** A back end over HTTP: app tokens and secrets have the same rights there. */
export const BACK_END: Principal = { kind: "app", exp: undefined };

/** Whether the filter asks only for what the principal may see. */
export function mayWatch(principal: Principal, filter: CompiledFilter): boolean {
  if (principal.kind === "app") return true;
  const { userId, grant } = principal;
  const { conversationId, userIds, showsInvisible, isCount } = filter;
  if (showsInvisible) return userIds?.size === 1 && userIds.has(userId);
  if (grant.kind === "all") return true;
  if (grant.counts && isCount && userIds === undefined) return true;
  if (typeof conversationId === "string" && grant.conversationIds.has(conversationId)) return true;
  if (userIds === undefined) return false;
  for (const asked of userIds) if (asked !== userId && !grant.userIds.has(asked)) return false;
  return true;
}

/** Whether the principal may ask about each of these users. */
export function mayAskAbout(principal: Principal, userIds: readonly string[]): boolean {
  if (principal.kind === "app" || principal.grant.kind === "all") return true;
  const { userId: own, grant } = principal;
  return userIds.every((userId) => userId === own || grant.userIds.has(userId));
}
