import { createHmac, type KeyObject } from "node:crypto";
import { APP, SECRET } from "./gateway.ts";

/** Base64url of a text as it is, or of a value as JSON. */
export function encode(value: unknown): string {
  return Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
}

export interface Forgery {
  /** Values are written as JSON. A string is used unchanged, so that invalid JSON is possible. */
  readonly header?: unknown;
  readonly payload?: unknown;
  readonly key?: string | KeyObject;
  readonly hash?: "sha256" | "sha384" | "sha512";
}

export const HS256 = { alg: "HS256", typ: "JWT" };
export const APP_CLAIMS = { iss: APP, tokenType: "app" };
export const USER_CLAIMS = { iss: APP, tokenType: "user", sub: "alice" };

/**
 * A handmade token, because libraries refuse to make most of these tokens. Defaults are those of a valid app
 * token.
 */
export function forge({ header = HS256, payload = APP_CLAIMS, key = SECRET, hash = "sha256" }: Forgery = {}) {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${createHmac(hash, key).update(input).digest("base64url")}`;
}

/** An app token that is valid except for these claims. */
export function appToken(claims: Record<string, unknown>): string {
  return forge({ payload: { ...APP_CLAIMS, ...claims } });
}

/** A user token that is valid except for these claims. */
export function userToken(claims: Record<string, unknown>): string {
  return forge({ payload: { ...USER_CLAIMS, ...claims } });
}
