import { type Clock, MIN_PAUSE_MS } from "../clock.ts";

/** The awake clock has to be read this often, and tokens expire by the wall clock, which may jump. */
const LONGEST_SLEEP_MS = 500;
/**
 * After a pause in which the process was busy, what clients sent meanwhile is read first, and clients that
 * were not served get so long to come back, before any deadline is looked at.
 */
export const GRACE_MS = 250;

/** The one timer of a gateway: calls `run` when something is due, and at least twice a second. */
export class Ticker {
  readonly #clock: Clock;
  readonly #run: (now: number) => void;
  readonly #nextDueAt: () => number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #armedFor = Number.POSITIVE_INFINITY;
  #stopped = false;

  constructor(clock: Clock, run: (now: number) => void, nextDueAt: () => number | undefined) {
    this.#clock = clock;
    this.#run = run;
    this.#nextDueAt = nextDueAt;
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
    this.#armedFor = Math.min(this.#nextDueAt() ?? Number.POSITIVE_INFINITY, now + LONGEST_SLEEP_MS);
    this.#timer = setTimeout(() => this.#fire(), Math.max(1, Math.ceil(this.#armedFor - now)));
  }

  #fire(): void {
    const late = this.#clock.now() - this.#armedFor;
    this.#armedFor = Number.NEGATIVE_INFINITY;
    if (late > MIN_PAUSE_MS) this.#timer = setTimeout(() => this.#runNow(), GRACE_MS);
    else this.#runNow();
  }

  #runNow(): void {
    this.#armedFor = Number.POSITIVE_INFINITY;
    this.#run(this.#clock.now());
    if (!this.#stopped) this.#arm();
  }
}
