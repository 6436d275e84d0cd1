import { Buffer } from "node:buffer";
import { hasDuplicateKeys } from "./duplicate-keys.ts";

/** A JSON Web Signature in compact form (RFC 7515), of which nothing has been verified. */
export interface Jws {
  readonly header: Readonly<Record<string, unknown>>;
  /** What was signed: ASCII. */
  readonly input: string;
  readonly signature: Buffer;
  /** The payload in base64url. */
  readonly encodedPayload: string;
}

/** `reason` quotes nothing of the token. */
interface Unreadable {
  readonly ok: false;
  readonly reason: string;
}

export type ParsedJws = { readonly ok: true; readonly jws: Jws } | Unreadable;
export type ReadPayload =
  | { readonly ok: true; readonly payload: Readonly<Record<string, unknown>> }
  | Unreadable;

/** Three parts of base64url, without white space, padding or marks of another serialisation. */
const COMPACT_JWS = /^([\w-]+)\.([\w-]+)\.([\w-]+)$/;
const UTF8 = new TextDecoder("utf-8", { fatal: true });

/** Takes a token apart. It refuses what others may read in another way. */
export function parseJws(text: string): ParsedJws {
  const parts = COMPACT_JWS.exec(text);
  if (parts === null) return refuse("the token is not a JWT");
  const header = readHeader(parts[1]!);
  if (header === KEY_TWICE) return refuse("the token has a key twice");
  if (header === undefined) return refuse("the token is not a JWT");
  // The gateway supports no extension, and RFC 7515 requires that a token with a critical one is refused.
  if (Object.hasOwn(header, "crit")) return refuse("the token has a crit header");
  // RFC 7797 requires `crit` beside `b64`. Without it, the issuer and the gateway could read the payload in
  // different ways.
  if (Object.hasOwn(header, "b64")) return refuse("the token has a b64 header");
  const input = text.slice(0, text.lastIndexOf("."));
  // An impossible signature is a wrong one.
  const signature = decode(parts[3]!) ?? NO_SIGNATURE;
  return { ok: true, jws: { header, input, signature, encodedPayload: parts[2]! } };
}

/** The payload of a token whose signature was verified. */
export function readPayload({ encodedPayload }: Jws): ReadPayload {
  const payload = readObject(encodedPayload);
  if (payload === KEY_TWICE) return refuse("the token has a key twice");
  return payload === undefined ? refuse("the token is not a valid JWT") : { ok: true, payload };
}

const NO_SIGNATURE = Buffer.alloc(0);

/** The result for a part in which an object has a key twice: other programs may read it differently. */
const KEY_TWICE: unique symbol = Symbol("a key twice");

/** The last header that was read. Nearly all tokens have the same one. */
let lastHeader: { readonly part: string; readonly header: Jws["header"] } | undefined;

function readHeader(part: string): ReturnType<typeof readObject> {
  if (lastHeader?.part === part) return lastHeader.header;
  const header = readObject(part);
  // A copy of the part, as the part itself keeps the whole token.
  if (typeof header === "object") lastHeader = { part: Buffer.from(part).toString(), header };
  return header;
}

/** The JSON object in a part; undefined if the part holds anything else. */
function readObject(part: string): Readonly<Record<string, unknown>> | typeof KEY_TWICE | undefined {
  const bytes = decode(part);
  if (bytes === undefined) return undefined;
  try {
    const text = UTF8.decode(bytes);
    const json: unknown = JSON.parse(text);
    const isObject = typeof json === "object" && json !== null && !Array.isArray(json);
    if (!isObject) return undefined;
    // What JSON.stringify writes in the same way has no key twice, and that holds for most tokens.
    if (JSON.stringify(json) !== text && hasDuplicateKeys(text)) return KEY_TWICE;
    return json as Record<string, unknown>;
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

function refuse(reason: string): Unreadable {
  return { ok: false, reason };
}
