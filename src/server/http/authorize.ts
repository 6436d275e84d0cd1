import type { App } from "../auth/app.ts";
import { BACK_END } from "../auth/principal.ts";
import { hasExpired, type Verified, verifyAppToken } from "../auth/token.ts";

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
  const secret = app.findSecret(credentials);
  if (secret !== undefined) return { ok: true, principal: BACK_END, signer: secret };
  // Without a dot it was meant as a secret. A remark about tokens would mislead.
  if (!credentials.includes(".")) return WRONG_SECRET;
  const known = app.knownTokens.get(credentials);
  if (known !== undefined && !hasExpired(known.principal.exp, wallNow)) return { ok: true, ...known };
  const verified = verifyAppToken(app, credentials, wallNow);
  if (verified.ok) app.knownTokens.add(credentials, verified);
  return verified;
}

/** The credentials of an `Authorization: Bearer` header. */
export function readBearer(authorization: string | undefined): string | undefined {
  return authorization === undefined ? undefined : BEARER.exec(authorization)?.[1];
}
