import { z } from "zod";
import { Id } from "../../protocol/ids.ts";
import { MAX_TOKEN_LENGTH } from "../../protocol/rules.ts";
import type { App } from "./app.ts";
import { readSigned } from "./compact-jws.ts";
import type { Grant, Principal } from "./principal.ts";

/** How far the clocks of token issuers may be off, in seconds. */
export const CLOCK_LEEWAY_S = 5;

export type Verified =
  | { readonly ok: true; readonly principal: Principal }
  /** `reason` may be shown to the client: it says what to fix, and quotes nothing of the token. */
  | {
      readonly ok: false;
      readonly reason: string;
      /** Only for a token that is not valid yet: in so many milliseconds it is. */
      readonly retryAfterMs?: number;
    };

const Read = z.union([
  z.literal("all"),
  z.strictObject({
    userIds: z.array(Id).optional(),
    conversationIds: z.array(Id).optional(),
    counts: z.boolean().optional(),
  }),
]);

const registered = {
  iss: z.string(),
  exp: z.number().optional(),
  nbf: z.number().optional(),
  iat: z.number().optional(),
  jti: z.string().optional(),
  aud: z.union([z.string(), z.array(z.string())]).optional(),
  read: Read.optional(),
};

const Claims = z.discriminatedUnion("tokenType", [
  z.object({ tokenType: z.literal("user"), sub: Id, ...registered }),
  z.object({ tokenType: z.literal("app"), sub: z.string().optional(), ...registered }),
]);

/** Verifies a token of an app. `wallNow`: milliseconds since 1970. Never throws, whatever the token is. */
export function verifyToken(app: App, token: string, wallNow: number): Verified {
  if (token.length > MAX_TOKEN_LENGTH) return refuse("the token is not a JWT");
  if (token !== "" && !token.includes(".")) return refuse(SECRET_AS_TOKEN);
  const signed = readSigned(token, app.keys);
  if (!signed.ok) return signed;
  const result = Claims.safeParse(signed.payload);
  if (!result.success) {
    const issue = result.error.issues[0]!;
    return refuse(`the token's claim ${issue.path.map(String).join(".") || "set"} is not valid`);
  }
  const claims = result.data;
  const { iss, nbf, exp, aud } = claims;
  if (iss !== app.id) return refuse("the token's iss names another app");
  if (hasExpired(exp, wallNow)) return refuse("the token has expired");
  if (exp === undefined && app.requireExp) return refuse("the token has no exp, and this app requires one");
  if (aud !== undefined && ![aud].flat().includes(app.id))
    return refuse("the token's aud names somebody else");
  // Last: nothing else is wrong with it.
  const earlyMs = nbf === undefined ? 0 : (nbf - CLOCK_LEEWAY_S) * 1000 - wallNow;
  if (earlyMs > 0) {
    const retryAfterMs = Math.min(Math.ceil(earlyMs), Number.MAX_SAFE_INTEGER);
    return { ok: false, reason: "the token is not valid yet", retryAfterMs };
  }
  if (claims.tokenType === "app") return { ok: true, principal: { kind: "app", exp } };
  const grant = app.grantsAll ? ALL : toGrant(claims.read);
  return { ok: true, principal: { kind: "user", userId: claims.sub, grant, exp } };
}

/**
 * Whether a token has expired, the leeway included. `exp`: seconds since 1970; `wallNow`: milliseconds since
 * 1970.
 */
export function hasExpired(exp: number | undefined, wallNow: number): boolean {
  return exp !== undefined && exp <= wallNow / 1000 - CLOCK_LEEWAY_S;
}

/** A text without dots was probably meant as a secret. */
const SECRET_AS_TOKEN = "this is not a token (JWT): a secret works over HTTP only, so sign a token with it";

const ALL: Grant = { kind: "all" };

const NOBODY: ReadonlySet<string> = new Set();

/**
 * Most tokens grant nothing and share one set: a set for each would be a good part of the memory of an idle
 * socket.
 */
function setOf(ids: readonly string[] | undefined): ReadonlySet<string> {
  return ids === undefined ? NOBODY : new Set(ids);
}

function toGrant(read: z.output<typeof Read> | undefined): Grant {
  if (read === "all") return ALL;
  return {
    kind: "some",
    userIds: setOf(read?.userIds),
    conversationIds: setOf(read?.conversationIds),
    counts: read?.counts ?? false,
  };
}

function refuse(reason: string): Verified {
  return { ok: false, reason };
}
