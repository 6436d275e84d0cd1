import { Buffer } from "node:buffer";
import { createHmac, type KeyObject, timingSafeEqual } from "node:crypto";
import { hasDuplicateKeys } from "./duplicate-keys.ts";

export type Signed =
  | { readonly ok: true; readonly payload: unknown }
  /** `reason` quotes nothing of the token. */
  | { readonly ok: false; readonly reason: string };

/** Three parts of base64url, without white space, padding or marks of another serialisation. */
const COMPACT_JWS = /^([\w-]+)\.([\w-]+)\.([\w-]+)$/;
const SIGNATURE_BYTES = 32;
const UTF8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Reads the payload of a JSON Web Signature in compact form (RFC 7515), if it is signed with one of the keys
 * by HS256. No other algorithm is accepted, so a token has no say in how it is verified. Synchronous, as
 * verifying takes microseconds. WebCrypto took several times as long, and left garbage behind that added to
 * the memory of each socket.
 */
export function readSigned(text: string, keys: readonly KeyObject[]): Signed {
  const parts = COMPACT_JWS.exec(text);
  if (parts === null) return refuse("the token is not a JWT");
  const header = readObject(parts[1]!);
  if (header === KEY_TWICE) return refuse("the token has a key twice");
  if (header === undefined) return refuse("the token is not a JWT");
  // The gateway supports no extension, and RFC 7515 requires that a token with a critical one is refused.
  if (Object.hasOwn(header, "crit")) return refuse("the token has a crit header");
  // RFC 7797 requires `crit` beside `b64`. Without it, the issuer and the gateway could read the payload in
  // different ways.
  if (Object.hasOwn(header, "b64")) return refuse("the token has a b64 header");
  if (header.alg !== "HS256") return refuse("the token's alg is not HS256");
  const signature = decode(parts[3]!);
  const input = text.slice(0, text.lastIndexOf("."));
  if (signature?.length !== SIGNATURE_BYTES || !keys.some((key) => isSignature(signature, input, key))) {
    return refuse("the token is not signed with a secret of this app");
  }
  const payload = readObject(parts[2]!);
  if (payload === KEY_TWICE) return refuse("the token has a key twice");
  return payload === undefined ? refuse("the token is not a valid JWT") : { ok: true, payload };
}

/** Compares in a time that reveals nothing about the correct signature. */
function isSignature(signature: Buffer, input: string, key: KeyObject): boolean {
  // Via a string: a `Buffer` that the library creates costs twice as much as one from the pool.
  const right = Buffer.from(createHmac("sha256", key).update(input).digest("binary"), "latin1");
  return timingSafeEqual(right, signature);
}

/** The result for a part in which an object has a key twice: other programs may read it differently. */
const KEY_TWICE: unique symbol = Symbol("a key twice");

/** The JSON object in a part; undefined if the part holds anything else. */
function readObject(part: string): Record<string, unknown> | typeof KEY_TWICE | undefined {
  const bytes = decode(part);
  if (bytes === undefined) return undefined;
  try {
    const text = UTF8.decode(bytes);
    const json: unknown = JSON.parse(text);
    const isObject = typeof json === "object" && json !== null && !Array.isArray(json);
    if (!isObject) return undefined;
    return hasDuplicateKeys(text) ? KEY_TWICE : (json as Record<string, unknown>);
  } catch {
    return undefined;
  }
}

/**
 * Decodes base64url. Undefined for an impossible length, of which the decoder would drop the last character.
 */
function decode(part: string): Buffer | undefined {
  return part.length % 4 === 1 ? undefined : Buffer.from(part, "base64url");
}

function refuse(reason: string): Signed {
  return { ok: false, reason };
}
