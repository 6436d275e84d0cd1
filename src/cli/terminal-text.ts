import stringWidth from "string-width";

/**
 * Characters that control a terminal or are invisible: control characters (ESC and C1 among them), format
 * characters (bidi overrides, zero-width ones), halves of surrogate pairs, line separators. The joiner inside
 * an emoji is excluded.
 */
const UNSAFE =
  /(?<!\p{Extended_Pictographic}[\u{fe0f}\u{1f3fb}-\u{1f3ff}]?)\u200d|\u200d(?!\p{Extended_Pictographic})|(?!\u200d)[\p{C}\p{Zl}\p{Zp}]/gu;

const PLAIN = /^[ -~]*$/;

/**
 * Replaces everything that is unsafe to print by a readable escape. Applying it twice changes nothing more.
 */
export function visible(text: string): string {
  return PLAIN.test(text)
    ? text
    : text.replace(UNSAFE, (found) => `\\u{${found.codePointAt(0)!.toString(16)}}`);
}

/**
 * JSON without characters that are unsafe to print. They occur only in strings, where JSON has escapes for
 * them.
 */
export function visibleJson(value: unknown): string {
  return JSON.stringify(value).replace(UNSAFE, (found) =>
    Array.from(
      { length: found.length },
      (_, i) => `\\u${found.charCodeAt(i).toString(16).padStart(4, "0")}`,
    ).join(""),
  );
}

/** Number of terminal columns of a text. */
export function displayWidth(text: string): number {
  return PLAIN.test(text) ? text.length : stringWidth(text);
}

const characters = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** Cuts a text to a number of columns. An ellipsis marks the cut. */
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

/** Pads a text with spaces to a number of columns. */
export function pad(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - displayWidth(text)));
}
