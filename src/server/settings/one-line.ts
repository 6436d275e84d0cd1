const MAX_QUOTED = 80;
const MAX_MESSAGE = 200;

/** The text in quotes, on one line, with escapes for characters that a terminal or a log would act on. */
export function quote(text: string): string {
  return JSON.stringify(shorten(text, MAX_QUOTED)).replace(UNSAFE, escaped);
}

/** The message of another library, on one line. */
export function oneLine(text: string): string {
  return shorten(text.replace(/\s+/g, " "), MAX_MESSAGE).replace(UNSAFE, escaped);
}

function shorten(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}

const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

function escaped(character: string): string {
  return `\\u{${character.codePointAt(0)!.toString(16)}}`;
}
