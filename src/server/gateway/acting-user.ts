import type { Principal } from "../auth/principal.ts";
import type { Reply } from "./reply.ts";

/**
 * The user in whose name a message acts: a user token acts for its own user, an app token for the user that
 * the message names. Undefined if there is none, and the client was told so.
 */
export function actingUser(
  reply: Reply,
  { id, userId: asked }: { readonly id?: number | undefined; readonly userId?: string | undefined },
  principal: Principal,
): string | undefined {
  if (principal.kind === "user") {
    if (asked === undefined || asked === principal.userId) return principal.userId;
    reply.error(id, "FORBIDDEN", "a user token acts for its own user only");
    return undefined;
  }
  if (asked === undefined) {
    const issue = { path: "userId", message: "is required: an app token has no user of its own" };
    reply.badMessage(id, "the message needs a user", [issue]);
  }
  return asked;
}
