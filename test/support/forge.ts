import { createHmac, type KeyObject } from "node:crypto";
import { APP, SECRET } from "./gateway.ts";

/** Base64url of a text as it is, or of a value as JSON. */
export function encode(value: unknown): string {
  return Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
}

export interface Forgery {
  /** Values are written as JSON; a string is taken for the text itself, so that nothing is tidied up on the way. */
  readonly header?: unknown;
  readonly payload?: unknown;
  readonly key?: string | KeyObject;
  readonly hash?: "sha256" | "sha384" | "sha512";
}

export const HS256 = { alg: "HS256", typ: "JWT" };
export const APP_CLAIMS = { iss: APP, tokenType: "app" };
export const USER_CLAIMS = { iss: APP, tokenType: "user", sub: "alice" };

/**
 * A token made by hand, for a library that makes tokens would refuse to make most of these. What is not given is as a
 * good app token has it.
 */
export function forge({ header = HS256, payload = APP_CLAIMS, key = SECRET, hash = "sha256" }: Forgery = {}) {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${createHmac(hash, key).update(input).digest("base64url")}`;
}

/** A good app token but for these claims. */
export function appToken(claims: Record<string, unknown>): string {
  return forge({ payload: { ...APP_CLAIMS, ...claims } });
}

/** A good user token but for these claims. */
export function userToken(claims: Record<string, unknown>): string {
  return forge({ payload: { ...USER_CLAIMS, ...claims } });
}
