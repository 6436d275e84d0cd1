import type { App } from "../auth/app.ts";
import type { Principal } from "../auth/principal.ts";
import { verifyToken } from "../auth/token.ts";

export type Authorized =
  | { readonly ok: true; readonly principal: Principal }
  | { readonly ok: false; readonly reason: string };

const SECRET: Authorized = { ok: true, principal: { kind: "app", exp: undefined } };
const BEARER = /^Bearer +(\S.*)$/i;

/** Who makes a request of the API: the app itself, by secret or token. A secret is checked without waiting. */
export function authorize(
  app: App,
  authorization: string | undefined,
  wallNow: number,
): Authorized | Promise<Authorized> {
  const credentials = readBearer(authorization);
  if (credentials === undefined) {
    return { ok: false, reason: "send Authorization: Bearer <app secret or app token>" };
  }
  if (app.isSecret(credentials)) return SECRET;
  return verifyAppToken(app, credentials, wallNow);
}

/** The credentials of an `Authorization: Bearer` header. */
export function readBearer(authorization: string | undefined): string | undefined {
  return authorization === undefined ? undefined : BEARER.exec(authorization)?.[1];
}

async function verifyAppToken(app: App, token: string, wallNow: number): Promise<Authorized> {
  const verified = await verifyToken(app, token, wallNow);
  if (!verified.ok) return verified;
  if (verified.principal.kind === "app") return verified;
  return { ok: false, reason: "a user token is for WebSockets only: use an app token or secret" };
}
