import { readFile } from "node:fs/promises";
import { oneLine } from "./one-line.ts";
import { type AppsFileState, digestOfText } from "./settings.ts";

/** How often the file is read. A change is seen after this time, and a bad file is no reason to stop. */
const INTERVAL_MS = 1_000;

export interface AppsFileEvents {
  /** The text is another one than before, or somebody has asked for it to be read. @throws What is logged. */
  changed(text: string): void;
  /** The text could not be read. Nothing has changed. */
  failed(reason: string): void;
}

/**
 * The file with the apps. Its text is compared, and not its time or what the system reports: so it does not
 * matter how a change is made (in place, by renaming, by another link), or on which file system.
 */
export class AppsFile {
  readonly #path: string;
  readonly #events: AppsFileEvents;
  readonly #read: (path: string) => Promise<string>;
  #digest: string;
  #lastFailure: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** The reading that is under way. */
  #reading: Promise<void> = Promise.resolve();

  /** `state`: what was read at the start. */
  constructor(
    { path, digest }: AppsFileState,
    events: AppsFileEvents,
    read: (path: string) => Promise<string> = (from) => readFile(from, "utf8"),
  ) {
    this.#path = path;
    this.#digest = digest;
    this.#events = events;
    this.#read = read;
  }

  /** Reads the file from now on. */
  watch(): void {
    this.#timer = setTimeout(async () => {
      await this.check();
      if (this.#timer !== undefined) this.watch();
    }, INTERVAL_MS).unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Reads the file once. `always`: even if its text is the same. */
  check(always = false): Promise<void> {
    this.#reading = this.#reading.then(() => this.#check(always));
    return this.#reading;
  }

  async #check(always: boolean): Promise<void> {
    let text: string;
    try {
      text = await this.#read(this.#path);
    } catch (error) {
      const { code = "unknown error" } = error as NodeJS.ErrnoException;
      return this.#failed(`the file cannot be read (${oneLine(code)})`, always);
    }
    this.#lastFailure = undefined;
    const digest = digestOfText(text);
    if (digest === this.#digest && !always) return;
    // A bad text is reported once.
    this.#digest = digest;
    this.#events.changed(text);
  }

  #failed(reason: string, always: boolean): void {
    // A file that stays away is reported once.
    if (reason === this.#lastFailure && !always) return;
    this.#lastFailure = reason;
    this.#events.failed(reason);
  }
}
