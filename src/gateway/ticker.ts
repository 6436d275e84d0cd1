import type { Clock } from "../shared/clock.ts";

/** The awake clock has to be read this often, and tokens expire by the wall clock, which may jump. */
const LONGEST_SLEEP_MS = 500;

/** The one timer of a gateway: calls `run` when something is due, and at least twice a second. */
export class Ticker {
  readonly #clock: Clock;
  readonly #run: (now: number) => void;
  readonly #next: () => number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #armedFor = Number.POSITIVE_INFINITY;
  #stopped = false;

  constructor(clock: Clock, run: (now: number) => void, next: () => number | undefined) {
    this.#clock = clock;
    this.#run = run;
    this.#next = next;
    this.#arm();
  }

  /** Says that something will be due at `due`. */
  wakeBy(due: number): void {
    if (due < this.#armedFor && !this.#stopped) this.#arm();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const now = this.#clock.now();
    this.#armedFor = Math.min(this.#next() ?? Number.POSITIVE_INFINITY, now + LONGEST_SLEEP_MS);
    this.#timer = setTimeout(
      () => {
        this.#armedFor = Number.POSITIVE_INFINITY;
        this.#run(this.#clock.now());
        if (!this.#stopped) this.#arm();
      },
      Math.max(1, Math.ceil(this.#armedFor - now)),
    );
  }
}
