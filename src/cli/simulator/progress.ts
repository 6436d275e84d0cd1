import type { Stats } from "./stats.ts";

const PLAIN_EVERY = 5;

/** One line about the state: rewritten in place on a terminal, otherwise printed now and then. */
export class Progress {
  readonly #isTty = process.stdout.isTTY === true;
  #reports = 0;

  report(connected: number, tabs: number, stats: Stats | undefined): void {
    const seen =
      stats === undefined ? "the gateway does not answer" : `online ${stats.users} · typing ${stats.typing}`;
    const line = `connected ${connected} of ${tabs} · ${seen}`;
    if (this.#isTty) process.stdout.write(`\r\x1b[2K${line}`);
    else if (this.#reports % PLAIN_EVERY === 0) process.stdout.write(`${line}\n`);
    this.#reports++;
  }

  /** Keeps the last line on the terminal. */
  end(): void {
    if (this.#isTty && this.#reports > 0) process.stdout.write("\n");
  }
}
