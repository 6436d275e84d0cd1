import { cut, visible } from "../terminal-text.ts";

/** A line on the screen. Whatever the text holds, it is shown and not obeyed. */
export interface ScreenLine {
  readonly text: string;
  readonly isBold?: boolean;
}

/** The part of `process.stdout` that is used. */
export interface Terminal {
  readonly columns: number;
  readonly rows: number;
  write(text: string): void;
}

// The other screen, no cursor, no wrapping: what was in the terminal before comes back as it was.
const ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l";
// Terminals that know these show the lines between them at once; others ignore them.
const BEGIN = "\x1b[?2026h\x1b[H";
const END = "\x1b[?2026l";
const BOLD = "\x1b[1m";
const NORMAL = "\x1b[0m";
const CLEAR_LINE = "\x1b[K";
const CLEAR_REST = "\x1b[J";

/** The whole terminal, redrawn in place; the terminal is as it was after `leave`. */
export class Screen {
  readonly #terminal: Terminal;
  #isOn = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** Some terminals that are none, as in a script, have a size of zero. */
  get size(): { readonly columns: number; readonly rows: number } {
    return { columns: this.#terminal.columns || 80, rows: this.#terminal.rows || 24 };
  }

  draw(lines: readonly ScreenLine[]): void {
    const { columns, rows } = this.size;
    const drawn = lines.slice(0, rows).map(({ text, isBold }) => {
      const safe = cut(visible(text), columns);
      // Cleared before it is written: behind a full line, the last character would be cleared.
      return CLEAR_LINE + (isBold ? BOLD + safe + NORMAL : safe);
    });
    if (drawn.length < rows) drawn.push(CLEAR_REST);
    const start = this.#isOn ? "" : ENTER;
    this.#isOn = true;
    this.#terminal.write(`${start}${BEGIN}${drawn.join("\r\n")}${END}`);
  }

  leave(): void {
    if (!this.#isOn) return;
    this.#isOn = false;
    this.#terminal.write(LEAVE);
  }
}
