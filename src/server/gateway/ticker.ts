import { type Clock, MIN_PAUSE_MS } from "../clock.ts";

/**
 * The longest time between two runs, in milliseconds: the awake clock must be read this often, and the wall
 * clock, by which tokens expire, may jump.
 */
const LONGEST_SLEEP_MS = 500;
/**
 * After a pause in which the process was busy, it first reads what clients sent meanwhile. Clients that were
 * not served get this many milliseconds to answer before any deadline is checked.
 */
export const GRACE_MS = 250;

/** The single timer of a gateway: calls `run` when something is due, and at least twice a second. */
export class Ticker {
  readonly #clock: Clock;
  readonly #run: (now: number) => void;
  readonly #nextDueAt: () => number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #armedFor = Number.POSITIVE_INFINITY;
  #ranAt = Number.NEGATIVE_INFINITY;
  #stopped = false;

  constructor(clock: Clock, run: (now: number) => void, nextDueAt: () => number | undefined) {
    this.#clock = clock;
    this.#run = run;
    this.#nextDueAt = nextDueAt;
    this.#arm();
  }

  /** Something will be due at `due`. */
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
    this.#armedFor = Math.min(this.#nextDueAt() ?? Number.POSITIVE_INFINITY, now + LONGEST_SLEEP_MS);
    this.#timer = setTimeout(() => this.#fire(), Math.max(1, Math.ceil(this.#armedFor - now)));
  }

  #fire(): void {
    // A run leaves what is more than a turn's share to the next one, and clients were heard before it.
    const late = this.#clock.now() - Math.max(this.#armedFor, this.#ranAt);
    this.#armedFor = Number.NEGATIVE_INFINITY;
    if (late > MIN_PAUSE_MS) this.#timer = setTimeout(() => this.#runNow(), GRACE_MS);
    else this.#runNow();
  }

  #runNow(): void {
    this.#armedFor = Number.POSITIVE_INFINITY;
    this.#ranAt = this.#clock.now();
    try {
      this.#run(this.#ranAt);
    } finally {
      if (!this.#stopped) this.#arm();
    }
  }
}
