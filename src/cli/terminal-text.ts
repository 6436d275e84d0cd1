import stringWidth from "string-width";

/**
 * What acts on a terminal, or can't be seen, in place of being shown: control characters (ESC and C1 among
 * them), format characters (bidi overrides, zero-width ones), halves of surrogate pairs, separators of lines.
 * Only the joiner inside of an emoji is left.
 */
const UNSAFE =
  /(?<!\p{Extended_Pictographic}[\u{fe0f}\u{1f3fb}-\u{1f3ff}]?)\u200d|\u200d(?!\p{Extended_Pictographic})|(?!\u200d)[\p{C}\p{Zl}\p{Zp}]/gu;

const PLAIN = /^[ -~]*$/;

/**
 * The text with everything that is unsafe to print as an escape that can be read. Applied twice, it changes
 * nothing more.
 */
export function visible(text: string): string {
  return PLAIN.test(text)
    ? text
    : text.replace(UNSAFE, (found) => `\\u{${found.codePointAt(0)!.toString(16)}}`);
}

/**
 * The same as JSON that means what it meant: unsafe characters can only be in strings, where JSON has an
 * escape for them.
 */
export function visibleJson(value: unknown): string {
  return JSON.stringify(value).replace(UNSAFE, (found) =>
    Array.from(
      { length: found.length },
      (_, i) => `\\u${found.charCodeAt(i).toString(16).padStart(4, "0")}`,
    ).join(""),
  );
}

/** How many columns of a terminal a text takes. */
export function displayWidth(text: string): number {
  return PLAIN.test(text) ? text.length : stringWidth(text);
}

const characters = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** The text, cut to so many columns; an ellipsis shows where. */
export function cut(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  let width = 0;
  let end = 0;
  for (const { segment, index } of characters.segment(text)) {
    width += displayWidth(segment);
    if (width > columns - 1) break;
    end = index + segment.length;
  }
  return columns > 0 ? `${text.slice(0, end)}…` : "";
}

/** The text, filled up with spaces to so many columns. */
export function pad(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - displayWidth(text)));
}
