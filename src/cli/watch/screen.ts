import { cut, visible } from "../terminal-text.ts";

/** A line on the screen. Control characters in the text are shown as escapes and have no effect. */
export interface ScreenLine {
  readonly text: string;
  readonly isBold?: boolean;
}

/** The members of `process.stdout` that the screen uses. */
export interface Terminal {
  readonly columns: number;
  readonly rows: number;
  write(text: string): void;
}

// Alternate screen, no cursor, no wrapping. LEAVE restores the previous content of the terminal.
const ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l";
// Terminals that support these codes show the lines between them at once. Others ignore the codes.
const BEGIN = "\x1b[?2026h\x1b[H";
const END = "\x1b[?2026l";
const BOLD = "\x1b[1m";
const NORMAL = "\x1b[0m";
const CLEAR_LINE = "\x1b[K";
const CLEAR_REST = "\x1b[J";

/** The whole terminal, redrawn in place. `leave` restores the terminal. */
export class Screen {
  readonly #terminal: Terminal;
  #isOn = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** A pseudo-terminal, as of the program `script`, may report a size of zero. */
  get size(): { readonly columns: number; readonly rows: number } {
    return { columns: this.#terminal.columns || 80, rows: this.#terminal.rows || 24 };
  }

  draw(lines: readonly ScreenLine[]): void {
    const { columns, rows } = this.size;
    const drawn = lines.slice(0, rows).map(({ text, isBold }) => {
      const safe = cut(visible(text), columns);
      // Clears the line before writing it. Clearing after a full line would remove its last character.
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
