import { z } from "zod";
import { Id } from "../../protocol/ids.ts";
import { MAX_TOKEN_LENGTH } from "../../protocol/rules.ts";
import type { App } from "./app.ts";
import { type Jws, parseJws, readPayload } from "./compact-jws.ts";
import type { JwksSource } from "./jwks-source.ts";
import type { Credentials } from "./known-tokens.ts";
import type { Grant, Principal } from "./principal.ts";
import { PUBLIC_KEY_ALGORITHMS, type PublicKeyAlgorithm } from "./public-key.ts";
import type { PublicClaims, PublicKeys } from "./public-keys.ts";

/** How far the clocks of token issuers may be off, in seconds. */
export const CLOCK_LEEWAY_S = 5;

/** `reason` may be shown to the client: it says what to fix, and quotes nothing of the token. */
export interface RefusedToken {
  readonly ok: false;
  readonly reason: string;
  /** Only for a token that may be valid later: the time until then. */
  readonly retryAfterMs?: number;
  /** The token may be valid, but cannot be verified now: the client should come back. */
  readonly isTemporary?: true;
  /** The JWKS that may have the token's key. The token can be verified again once that was fetched. */
  readonly awaits?: JwksSource;
}

export type Verified = ({ readonly ok: true } & Credentials) | RefusedToken;

/** What matters for tokens that are verified with public keys. */
export interface VerifyOptions {
  /** Undefined: there is no limit. */
  readonly budget?: CheckBudget;
  /** Whether the JWKS was fetched because of this token. */
  readonly hasAwaited?: boolean;
}

/** Limits the checks of signatures that turn out to be wrong: each takes a few tenths of a millisecond. */
export interface CheckBudget {
  /** Whether so many more signatures may be checked. */
  takeChecks(count: number): boolean;
  /** They were those of a valid token. */
  returnChecks(count: number): void;
}

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

/** Those of an identity provider, which knows nothing of app tokens. */
const ForeignClaims = z.object({
  tokenType: z.literal("user").optional(),
  sub: z.string().optional(),
  ...registered,
});

/**
 * Verifies a token of an app or of its identity provider. `wallNow`: milliseconds since 1970. Never throws,
 * whatever the token is.
 */
export function verifyToken(
  app: App,
  token: string,
  wallNow: number,
  { budget, hasAwaited = false }: VerifyOptions = {},
): Verified {
  const parsed = parse(app, token);
  if (!parsed.ok) return parsed;
  const { jws, keys } = parsed;
  if (keys === undefined) return verifyOwn(app, jws, wallNow);
  const known = keys.of.knownTokens.get(token);
  if (known !== undefined && !hasExpired(known.principal.exp, wallNow)) return { ok: true, ...known };
  const candidates = keys.of.find(keys.algorithm, keys.kid);
  if (candidates.length === 0) return unknownKey(keys, jws, hasAwaited);
  if (budget?.takeChecks(candidates.length) === false) return TOO_MANY_CHECKS;
  const key = candidates.find((each) => each.hasSigned(jws.input, jws.signature));
  if (key === undefined) return unknownKey(keys, jws, hasAwaited);
  const principal = readForeignClaims(app, jws, keys.of.claims, wallNow);
  if (!principal.ok) return principal;
  budget?.returnChecks(candidates.length);
  const credentials = { principal: principal.principal, signer: key.signer };
  keys.of.knownTokens.add(token, credentials);
  return { ok: true, ...credentials };
}

/**
 * Verifies a token where only app tokens are accepted. A token of an identity provider is none, so its
 * signature is not checked.
 */
export function verifyAppToken(app: App, token: string, wallNow: number): Verified {
  const parsed = parse(app, token);
  if (!parsed.ok) return parsed;
  const { jws, keys } = parsed;
  if (keys !== undefined) {
    if (keys.of.find(keys.algorithm, keys.kid).length > 0) return USER_TOKEN;
    const refused = unknownKey(keys, jws, false);
    return refused.isTemporary ? refused : USER_TOKEN;
  }
  const verified = verifyOwn(app, jws, wallNow);
  return verified.ok && verified.principal.kind === "user" ? USER_TOKEN : verified;
}

/** The keys of the identity provider for one token. */
interface KeysOfToken {
  readonly of: PublicKeys;
  readonly algorithm: PublicKeyAlgorithm;
  readonly kid: string | undefined;
}

type Parsed =
  /** `keys`: undefined for a token that is signed with a secret. */
  { readonly ok: true; readonly jws: Jws; readonly keys: KeysOfToken | undefined } | RefusedToken;

/** The algorithm decides which kind of key a token is verified with. Each key fits one algorithm. */
function parse({ publicKeys }: App, token: string): Parsed {
  if (token.length > MAX_TOKEN_LENGTH) return refuse("the token is not a JWT");
  if (token !== "" && !token.includes(".")) return refuse(SECRET_AS_TOKEN);
  const parsed = parseJws(token);
  if (!parsed.ok) return parsed;
  const { jws } = parsed;
  const { alg, kid } = jws.header;
  if (alg === "HS256") return { ok: true, jws, keys: undefined };
  if (publicKeys === undefined) return refuse("the token's alg is not HS256");
  const algorithm = PUBLIC_KEY_ALGORITHMS.find((each) => each === alg);
  if (algorithm === undefined) return refuse("the token's alg is not HS256, RS256, ES256 or EdDSA");
  if (kid !== undefined && typeof kid !== "string") return refuse("the token's kid is not a text");
  return { ok: true, jws, keys: { of: publicKeys, algorithm, kid } };
}

/** Verifies a token that says that it is signed with a secret. */
function verifyOwn(app: App, jws: Jws, wallNow: number): Verified {
  const secret = app.secrets.find((each) => each.hasSigned(jws.input, jws.signature));
  if (secret === undefined) return refuse("the token is not signed with a secret of this app");
  const read = readPayload(jws);
  if (!read.ok) return read;
  const result = Claims.safeParse(read.payload);
  if (!result.success) return refuse(claimProblem(result.error, OWN_CLAIMS));
  const claims = result.data;
  const { iss, exp, aud } = claims;
  if (iss !== app.id) return refuse("the token's iss names another app");
  const untimely = refuseExpiry(app, exp, wallNow);
  if (untimely !== undefined) return untimely;
  if (aud !== undefined && ![aud].flat().includes(app.id))
    return refuse("the token's aud names somebody else");
  // Last: nothing else is wrong with it.
  const early = refuseEarly(claims.nbf, wallNow);
  if (early !== undefined) return early;
  const { signer } = secret;
  if (claims.tokenType === "app") return { ok: true, principal: { kind: "app", exp }, signer };
  const grant = app.grantsAll ? ALL : toGrant(claims.read);
  return { ok: true, principal: { kind: "user", userId: claims.sub, grant, exp }, signer };
}

type ForeignPrincipal = { readonly ok: true; readonly principal: Principal } | RefusedToken;

/** Reads the claims of a token that a public key has verified. */
function readForeignClaims(
  app: App,
  jws: Jws,
  { issuer, audience, userIdClaim }: PublicClaims,
  wallNow: number,
): ForeignPrincipal {
  const read = readPayload(jws);
  if (!read.ok) return read;
  const result = ForeignClaims.safeParse(read.payload);
  if (!result.success) return refuse(claimProblem(result.error));
  const { iss, exp, aud, nbf, read: granted } = result.data;
  const hasUserId = Object.hasOwn(read.payload, userIdClaim);
  const userId = Id.safeParse(hasUserId ? read.payload[userIdClaim] : undefined);
  if (!userId.success) return refuse(`the token's claim ${userIdClaim} is not valid`);
  if (iss !== issuer) return refuse("the token's iss is not the issuer of this app");
  const untimely = refuseExpiry(app, exp, wallNow);
  if (untimely !== undefined) return untimely;
  if (audience !== undefined && ![aud].flat().includes(audience))
    return refuse("the token's aud names somebody else");
  const early = refuseEarly(nbf, wallNow);
  if (early !== undefined) return early;
  const grant = app.grantsAll ? ALL : toGrant(granted);
  return { ok: true, principal: { kind: "user", userId: userId.data, grant, exp } };
}

/**
 * Refuses a token that no key has signed. If the JWKS may have its key and could not be had, or is older than
 * the token, that is for now only.
 */
function unknownKey({ of, kid }: KeysOfToken, jws: Jws, hasAwaited: boolean): RefusedToken {
  const { jwks } = of;
  if (jwks === undefined || (hasAwaited && !jwks.isMissing)) return NOT_SIGNED;
  if (kid === undefined ? !jwks.isMissing : of.hasKid(kid)) return NOT_SIGNED;
  if (jwks.isSettled(issuedAtMs(jws))) return NOT_SIGNED;
  const reason = jwks.isMissing
    ? "the keys (JWKS) for this token cannot be had now: try again later"
    : "the token's kid is unknown, and the keys (JWKS) were fetched a moment ago: try again later";
  return {
    ok: false,
    reason,
    isTemporary: true,
    awaits: jwks,
    retryAfterMs: Math.max(MIN_RETRY_MS, jwks.restMs),
  };
}

/** When a token says that it was issued. Its signature was not verified. */
function issuedAtMs(jws: Jws): number | undefined {
  const read = readPayload(jws);
  return read.ok && typeof read.payload.iat === "number" ? read.payload.iat * 1_000 : undefined;
}

/** What those claims of an app's own tokens must be that are easily forgotten or misspelt. */
const OWN_CLAIMS: Readonly<Record<string, string>> = {
  iss: "the id of the app",
  tokenType: '"user" or "app"',
  sub: "the id of the user",
  read: '"all", or {"userIds": […], "conversationIds": […]}',
};

function claimProblem(error: z.ZodError, forms: Readonly<Record<string, string>> = {}): string {
  const claim = error.issues[0]!.path.map(String).join(".") || "set";
  const form = forms[claim];
  return `the token's claim ${claim} is not valid${form === undefined ? "" : `: it must be ${form}`}`;
}

function refuseExpiry(app: App, exp: number | undefined, wallNow: number): RefusedToken | undefined {
  if (hasExpired(exp, wallNow)) return refuse("the token has expired");
  if (exp === undefined && app.requireExp) return refuse("the token has no exp, and this app requires one");
  return undefined;
}

function refuseEarly(nbf: number | undefined, wallNow: number): RefusedToken | undefined {
  const earlyMs = nbf === undefined ? 0 : (nbf - CLOCK_LEEWAY_S) * 1000 - wallNow;
  if (earlyMs <= 0) return undefined;
  const retryAfterMs = Math.min(Math.ceil(earlyMs), Number.MAX_SAFE_INTEGER);
  return { ok: false, reason: "the token is not valid yet", retryAfterMs };
}

/**
 * Whether a token has expired, the leeway included. `exp`: seconds since 1970; `wallNow`: milliseconds since
 * 1970.
 */
export function hasExpired(exp: number | undefined, wallNow: number): boolean {
  return exp !== undefined && exp <= wallNow / 1000 - CLOCK_LEEWAY_S;
}

/** When to come back at the earliest, if nothing says how long it takes. */
const MIN_RETRY_MS = 1_000;

/** A text without dots was probably meant as a secret. */
const SECRET_AS_TOKEN = "this is not a token (JWT): a secret works over HTTP only, so sign a token with it";

const USER_TOKEN = refuse("a user token is for WebSockets only: use an app token or secret");
const NOT_SIGNED = refuse("the token is not signed with a key of this app");
const TOO_MANY_CHECKS: RefusedToken = {
  ok: false,
  reason: "too many tokens with a wrong signature: try again later",
  isTemporary: true,
  retryAfterMs: MIN_RETRY_MS,
};

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

function refuse(reason: string): RefusedToken {
  return { ok: false, reason };
}
