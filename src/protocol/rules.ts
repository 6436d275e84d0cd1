/** What may be an id, and what may be custom: plain functions, so that the client SDK has them without the schema library. */

/** The longest id of a user, conversation, session or app, in UTF-16 units. */
export const MAX_ID_LENGTH = 255;
export const MAX_FILTER_USER_IDS = 1000;
export const MAX_CUSTOM_KEYS = 32;
export const MAX_CUSTOM_KEY_LENGTH = 64;
export const MAX_CUSTOM_VALUE_LENGTH = 512;

const CONTROL = /\p{Cc}/u;

/** What is wrong with a text as an id, or undefined. Names such as `__proto__` are ordinary ids. */
export function idProblem(text: string): string | undefined {
  if (text.length === 0) return "must not be empty";
  if (text.length > MAX_ID_LENGTH) return `must have at most ${MAX_ID_LENGTH} characters`;
  if (!text.isWellFormed()) return "must be well-formed Unicode";
  if (CONTROL.test(text)) return "must not have control characters";
  return undefined;
}

/** A patch of `custom`: a string sets a key, null deletes it. Its own property `__proto__` is a key like any other. */
export type CustomPatch = Readonly<Record<string, string | null>>;

/** What is wrong with a patch of `custom`, or undefined. */
export function customProblem(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return "must be an object of strings, or null";
  }
  let set = 0;
  for (const [key, item] of Object.entries(value)) {
    if (key.length > MAX_CUSTOM_KEY_LENGTH)
      return `keys must have at most ${MAX_CUSTOM_KEY_LENGTH} characters`;
    // Keys that are deleted make room for as many others in the same patch.
    if (item === null) continue;
    if (++set > MAX_CUSTOM_KEYS) return `must have at most ${MAX_CUSTOM_KEYS} keys`;
    if (typeof item !== "string") return "values must be strings, or null to delete the key";
    if (item.length > MAX_CUSTOM_VALUE_LENGTH) {
      return `values must have at most ${MAX_CUSTOM_VALUE_LENGTH} characters`;
    }
  }
  return undefined;
}
