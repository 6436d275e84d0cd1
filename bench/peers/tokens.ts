import { jwtVerify } from "jose";
import { APP, SECRET } from "../servers/app.ts";

const KEY = new TextEncoder().encode(SECRET);

/**
 * Verifies a token as a typical server does. Resolves with its user; undefined for an app token. Rejects if
 * invalid.
 */
export async function userOf(token: string): Promise<string | undefined> {
  const { payload } = await jwtVerify(token, KEY, { algorithms: ["HS256"], issuer: APP.id });
  return payload.sub;
}
