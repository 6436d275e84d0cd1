import { type PublicKey, readPublicKey } from "./public-key.ts";

/** The most keys of a JWKS that are used, from its beginning. A token without `kid` is tried with each. */
export const MAX_JWKS_KEYS = 64;

/**
 * The keys of a JSON Web Key Set (RFC 7517) that tokens may be signed with. All other entries are ignored.
 * Undefined: the text is no such set. Never throws, whatever the text is.
 *
 * `url`: where the set was found.
 */
export function readJwks(text: string, url: string): readonly PublicKey[] | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(json) || !Array.isArray(json.keys)) return undefined;
  const keys: PublicKey[] = [];
  for (const entry of json.keys) {
    if (keys.length === MAX_JWKS_KEYS) break;
    const read = isObject(entry) ? readPublicKey(entry, undefined, url) : undefined;
    if (read?.ok) keys.push(read.key);
  }
  return keys;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
