import type { App } from "../auth/app.ts";
import { hasExpired, type Verified, verifyToken } from "../auth/token.ts";

const SECRET: Verified = { ok: true, principal: { kind: "app", exp: undefined } };
const USER_TOKEN: Verified = {
  ok: false,
  reason: "a user token is for WebSockets only: use an app token or secret",
};
const WRONG_SECRET: Verified = {
  ok: false,
  reason:
    "wrong secret: it is none of this app's secrets; compare it with APPS, and the app's id in the path",
};
const BEARER = /^Bearer +(\S.*)$/i;

/** Checks the credentials of a request of the API: a secret of the app, or an app token. */
export function authorize(app: App, authorization: string | undefined, wallNow: number): Verified {
  const credentials = readBearer(authorization);
  if (credentials === undefined) {
    return { ok: false, reason: "send Authorization: Bearer <app secret or app token>" };
  }
  if (app.isSecret(credentials)) return SECRET;
  // Without a dot it was meant as a secret. A remark about tokens would mislead.
  if (!credentials.includes(".")) return WRONG_SECRET;
  const known = app.knownTokens.get(credentials);
  if (known !== undefined && !hasExpired(known.exp, wallNow)) return { ok: true, principal: known };
  const verified = verifyToken(app, credentials, wallNow);
  if (!verified.ok) return verified;
  if (verified.principal.kind === "user") return USER_TOKEN;
  app.knownTokens.add(credentials, verified.principal);
  return verified;
}

/** The credentials of an `Authorization: Bearer` header. */
export function readBearer(authorization: string | undefined): string | undefined {
  return authorization === undefined ? undefined : BEARER.exec(authorization)?.[1];
}
