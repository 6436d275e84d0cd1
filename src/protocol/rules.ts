/** What may be an id, and what may be custom: plain functions, so that the client SDK has them without the schema library. */

/** The longest id of a user, conversation, session or app, in UTF-16 units. */
export const MAX_ID_LENGTH = 255;
export const MAX_FILTER_USER_IDS = 1000;
/** Longer than any token we take; a bound for what is handed to the verifier. */
export const MAX_TOKEN_LENGTH = 8192;
/** The longest message that a gateway sends, in bytes of UTF-8. */
export const MAX_SERVER_MESSAGE_BYTES = 1024 * 1024;
export const MAX_CUSTOM_KEYS = 32;
export const MAX_CUSTOM_KEY_LENGTH = 64;
export const MAX_CUSTOM_VALUE_LENGTH = 512;

const CONTROL = /\p{Cc}/u;

/** What is wrong with a text as an id, or undefined. Names such as `__proto__` are ordinary ids. */
export function idProblem(text: string): string | undefined {
  const isId = text.length > 0 && text.length <= MAX_ID_LENGTH && text.isWellFormed() && !CONTROL.test(text);
  return isId
    ? undefined
    : `must have 1 to ${MAX_ID_LENGTH} characters, no control characters, and be well-formed Unicode`;
}

/** A patch of `custom`: a string sets a key, null deletes it. Its own property `__proto__` is a key like any other. */
export type CustomPatch = Readonly<Record<string, string | null>>;

/** What is wrong with a patch of `custom`, or undefined. */
export function customProblem(patch: unknown): string | undefined {
  let set = 0;
  const isPatch =
    typeof patch === "object" &&
    patch !== null &&
    !Array.isArray(patch) &&
    Object.entries(patch).every(
      ([key, value]) =>
        key.length <= MAX_CUSTOM_KEY_LENGTH &&
        // Keys that are deleted make room for as many others in the same patch.
        (value === null ||
          (typeof value === "string" && value.length <= MAX_CUSTOM_VALUE_LENGTH && ++set <= MAX_CUSTOM_KEYS)),
    );
  return isPatch
    ? undefined
    : `must be null, or set at most ${MAX_CUSTOM_KEYS} keys of at most ${MAX_CUSTOM_KEY_LENGTH} characters to strings of at most ${MAX_CUSTOM_VALUE_LENGTH}, or to null to delete them`;
}
