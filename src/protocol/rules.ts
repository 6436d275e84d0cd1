import type { CustomPatch } from "./wire.ts";

/**
 * The rules for ids and `custom`, as plain functions, so that the client SDK has them without the schema
 * library.
 */

/** The longest id of a user, conversation, session or app, in UTF-16 units. */
export const MAX_ID_LENGTH = 255;
export const MAX_FILTER_USER_IDS = 1000;
/** The length of the ids that the gateway makes, see core/ids.ts. */
export const MADE_ID_LENGTH = 21;
/**
 * An `open` whose `sessionId` begins so names a new session. The same name opens it only once. No id that the
 * gateway makes begins so.
 */
export const NEW_SESSION_PREFIX = "new:";
/** The longest token that is verified, in UTF-16 units. Longer ones are refused without a look at them. */
export const MAX_TOKEN_LENGTH = 8192;
export const MAX_CUSTOM_KEYS = 32;
export const MAX_CUSTOM_KEY_LENGTH = 64;
export const MAX_CUSTOM_VALUE_LENGTH = 512;
/**
 * The most bytes of the `custom` of one session, as JSON in UTF-8, however its keys and values are written.
 */
export const MAX_CUSTOM_BYTES = 4_096;
/** The same for the `custom` of all sessions of a user together. */
export const MAX_USER_CUSTOM_BYTES = 65_536;
/** The most bytes of a message that the gateway sends. A client need not accept more. */
export const MAX_SERVER_MESSAGE_BYTES = 1_048_576;
/** The most bytes of the sessions that a value lists. The rest of a message fits around them. */
export const MAX_LISTED_BYTES = MAX_SERVER_MESSAGE_BYTES - 16_384;

/** The longest text and emoji of a status, in UTF-16 units. */
export const MAX_STATUS_TEXT_LENGTH = 128;
export const MAX_STATUS_EMOJI_LENGTH = 32;
/** How long a status may be set to last, in milliseconds. */
export const MIN_STATUS_MS = 1_000;
export const MAX_STATUS_MS = 31_536_000_000;
/** The most keys of `custom` in a filter, and values of each. */
export const MAX_FILTER_CUSTOM_KEYS = 4;
export const MAX_FILTER_CUSTOM_VALUES = 16;

/** Control characters, and surrogates without their other half. In a form that React Native's engine has. */
const FORBIDDEN = /[\0-\x1f\x7f-\x9f\ud800-\udfff]/u;

/** Whether a value may be an id. Names such as `__proto__` are ordinary ids. */
export function isId(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= MAX_ID_LENGTH && !FORBIDDEN.test(value);
}

/** Why a text cannot be an id; undefined if it can. */
export function idProblem(text: string): string | undefined {
  return isId(text)
    ? undefined
    : `must have 1 to ${MAX_ID_LENGTH} characters, no control characters, and be well-formed Unicode`;
}

/** Whether a value of JSON is an object, and no list. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Why a value cannot be the text or emoji of a status; undefined if it can. An empty one is none. */
export function statusTextProblem(value: unknown, max: number): string | undefined {
  const isText = typeof value === "string" && value.length <= max && !FORBIDDEN.test(value);
  return isText
    ? undefined
    : `must be a text of at most ${max} characters, no control characters, and be well-formed Unicode`;
}

/** Whether a value may be a patch of `custom`. */
export function isCustomPatch(patch: unknown): boolean {
  let set = 0;
  return (
    isObject(patch) &&
    Object.entries(patch).every(
      ([key, value]) =>
        key.length <= MAX_CUSTOM_KEY_LENGTH &&
        // Deleted keys make room for others in the same patch, so only keys that are set count.
        (value === null ||
          (typeof value === "string" && value.length <= MAX_CUSTOM_VALUE_LENGTH && ++set <= MAX_CUSTOM_KEYS)),
    )
  );
}

/** Why a value cannot be a patch of `custom`; undefined if it can. */
export function customProblem(patch: unknown): string | undefined {
  return isCustomPatch(patch)
    ? undefined
    : `must be null, or set at most ${MAX_CUSTOM_KEYS} keys of at most ${MAX_CUSTOM_KEY_LENGTH} characters to strings of at most ${MAX_CUSTOM_VALUE_LENGTH}, or to null to delete them`;
}

/** `{}` */
export const EMPTY_CUSTOM_BYTES = 2;

/** The bytes of `JSON.stringify(custom)` in UTF-8. */
export function customBytes(custom: Readonly<Record<string, string>>): number {
  let bytes = 0;
  for (const key of Object.keys(custom)) bytes += entryBytes(key, custom[key]!);
  // Each entry is counted with a comma, and the last has none.
  return Math.max(EMPTY_CUSTOM_BYTES, bytes + 1);
}

/** The bytes of `custom` after a patch; `bytes`: those before it. Reads only the keys of the patch. */
export function customBytesAfter(
  custom: Readonly<Record<string, string>>,
  bytes: number,
  patch: CustomPatch | null,
): number {
  if (patch === null) return EMPTY_CUSTOM_BYTES;
  let entries = bytes === EMPTY_CUSTOM_BYTES ? 0 : bytes - 1;
  for (const key of Object.keys(patch)) {
    const before = custom[key];
    const after = patch[key] ?? undefined;
    if (before === after) continue;
    if (before !== undefined) entries -= entryBytes(key, before);
    if (after !== undefined) entries += entryBytes(key, after);
  }
  return Math.max(EMPTY_CUSTOM_BYTES, entries + 1);
}

/** `"key":"value",` */
function entryBytes(key: string, value: string): number {
  return textBytes(key) + textBytes(value) + 2;
}

/** The bytes of a text as JSON in UTF-8, with its quotes. */
export function textBytes(text: string): number {
  let bytes = text.length + 2;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x80) {
      if (unit < 0x800) bytes += 1;
      else if (unit < 0xd800 || unit > 0xdfff) bytes += 2;
      else if (unit < 0xdc00 && isLowSurrogate(text.charCodeAt(i + 1))) {
        // A surrogate pair has four bytes.
        bytes += 2;
        i++;
      } else bytes += 5;
    } else if (unit < 0x20) bytes += SHORT_ESCAPES.includes(unit) ? 1 : 5;
    else if (unit === 0x22 || unit === 0x5c) bytes += 1;
  }
  return bytes;
}

/**
 * \b \t \n \f \r have escapes of two characters. Other control characters and lone surrogates have escapes of
 * six.
 */
const SHORT_ESCAPES: readonly number[] = [8, 9, 10, 12, 13];

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}
