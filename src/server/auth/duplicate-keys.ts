const QUOTE = 34;
const BACKSLASH = 92;
const COMMA = 44;
const COLON = 58;
const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;

/**
 * Whether an object in a JSON text, at any depth, has the same key twice. `JSON.parse` takes the last one,
 * other parsers the first, so they would read the same text in different ways. Takes time in proportion to
 * the text, which must be valid JSON.
 */
export function hasDuplicateKeys(json: string): boolean {
  /** The keys of each enclosing object; undefined for an array. */
  const around: (Set<string> | undefined)[] = [];
  let isKey = false;
  for (let i = 0; i < json.length; i++) {
    switch (json.charCodeAt(i)) {
      case OPEN_BRACE:
        around.push(new Set());
        isKey = true;
        break;
      case OPEN_BRACKET:
        around.push(undefined);
        isKey = false;
        break;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        around.pop();
        isKey = false;
        break;
      case COMMA:
        isKey = around.at(-1) !== undefined;
        break;
      case COLON:
        isKey = false;
        break;
      case QUOTE: {
        const end = endOfString(json, i);
        const keys = around.at(-1);
        if (isKey && keys !== undefined) {
          // A key may be written with escapes, so keys are compared decoded.
          const key = JSON.parse(json.slice(i, end + 1)) as string;
          if (keys.has(key)) return true;
          keys.add(key);
        }
        i = end;
        break;
      }
    }
  }
  return false;
}

/** The index of the closing quote of the string that starts at `start`. */
function endOfString(json: string, start: number): number {
  let i = start + 1;
  while (json.charCodeAt(i) !== QUOTE) i += json.charCodeAt(i) === BACKSLASH ? 2 : 1;
  return i;
}
