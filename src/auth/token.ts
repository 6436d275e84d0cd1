import { decodeProtectedHeader, errors, jwtVerify } from "jose";
import { z } from "zod";
import { Id } from "../protocol/ids.ts";
import { MAX_TOKEN_LENGTH } from "../protocol/rules.ts";
import type { App } from "./app.ts";
import type { Grant, Principal } from "./principal.ts";

/** How far clocks of those who make tokens may be off. */
export const CLOCK_LEEWAY_S = 5;

export type Verified =
  | { readonly ok: true; readonly principal: Principal }
  /** `reason` may be shown to the client: it says what to mend and repeats nothing of the token. */
  | { readonly ok: false; readonly reason: string };

const Read = z.union([
  z.literal("all"),
  z.strictObject({ userIds: z.array(Id).optional(), conversationIds: z.array(Id).optional() }),
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

/** Three parts of base64url: no white space, no padding, no sign of another serialisation. */
const COMPACT_JWS = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** Verifies a token of an app. `wallNow`: milliseconds since 1970. Never throws for what a token says. */
export async function verifyToken(app: App, token: string, wallNow: number): Promise<Verified> {
  if (token.length > MAX_TOKEN_LENGTH || !COMPACT_JWS.test(token)) return refuse("the token is not a JWT");
  try {
    const header = decodeProtectedHeader(token);
    // No extension is understood here, and RFC 7515 has a token that insists on one refused.
    if ("crit" in header) return refuse("the token has a crit header");
    // RFC 7797 asks for crit beside it. Without, who made the token and we could read its payload in different ways.
    if ("b64" in header) return refuse("the token has a b64 header");
  } catch {
    return refuse("the token is not a JWT");
  }
  for (const key of app.keys) {
    try {
      const { payload } = await jwtVerify(token, key, {
        algorithms: ["HS256"],
        issuer: app.id,
        clockTolerance: CLOCK_LEEWAY_S,
        currentDate: new Date(wallNow),
      });
      return toPrincipal(app, payload);
    } catch (error) {
      if (error instanceof errors.JWSSignatureVerificationFailed) continue;
      return refuse(reasonOf(error));
    }
  }
  return refuse("the token is not signed with a secret of this app");
}

function toPrincipal(app: App, payload: unknown): Verified {
  const result = Claims.safeParse(payload);
  if (!result.success) {
    const issue = result.error.issues[0]!;
    return refuse(`the token's claim ${issue.path.map(String).join(".") || "set"} is not valid`);
  }
  const claims = result.data;
  if (claims.exp === undefined && app.requireExp)
    return refuse("the token has no exp, and this app requires one");
  if (claims.aud !== undefined && ![claims.aud].flat().includes(app.id)) {
    return refuse("the token's aud names somebody else");
  }
  if (claims.tokenType === "app") return { ok: true, principal: { kind: "app", exp: claims.exp } };
  const grant = app.grantsAll ? ALL : toGrant(claims.read);
  return { ok: true, principal: { kind: "user", userId: claims.sub, grant, exp: claims.exp } };
}

const ALL: Grant = { kind: "all" };

function toGrant(read: z.output<typeof Read> | undefined): Grant {
  if (read === "all") return ALL;
  return { kind: "some", userIds: new Set(read?.userIds), conversationIds: new Set(read?.conversationIds) };
}

function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return "the token has expired";
  if (error instanceof errors.JWTClaimValidationFailed) {
    return error.claim === "nbf" && error.reason === "check_failed"
      ? "the token is not valid yet"
      : `the token's claim ${error.claim} is not valid`;
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return "the token's alg is not HS256";
  return "the token is not a valid JWT";
}

function refuse(reason: string): Verified {
  return { ok: false, reason };
}
