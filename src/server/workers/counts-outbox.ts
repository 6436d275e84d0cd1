/** Keys and numbers in turns. */
export type Counted = readonly (string | number)[];

/** What has changed since the report before. */
export interface CountsReport {
  /** By how much what is held has changed, by key. */
  readonly held: Counted;
  /** What was taken of something that is limited per second, by key. */
  readonly taken: Counted;
}

/** At most one report in this time. Two of them, one after the other, are well within 250 ms. */
const REPORT_INTERVAL_MS = 50;
/** The most keys of a report of what was taken. Beyond it, limits per second hold for each worker alone. */
const MAX_TAKEN_KEYS = 10_000;

/**
 * Counts that wait to be reported to one reader. Changes of one key are added up, and a report waits for the
 * acknowledgement of the one before, so what waits is bounded by the keys.
 */
export class CountsOutbox {
  readonly #held = new Map<string, number>();
  readonly #taken = new Map<string, number>();
  #isUnderWay = false;
  #sentAt = Number.NEGATIVE_INFINITY;

  hold(key: string, change: number): void {
    const sum = (this.#held.get(key) ?? 0) + change;
    if (sum === 0) this.#held.delete(key);
    else this.#held.set(key, sum);
  }

  take(key: string, amount: number): void {
    const before = this.#taken.get(key);
    if (before !== undefined || this.#taken.size < MAX_TAKEN_KEYS) {
      this.#taken.set(key, (before ?? 0) + amount);
    }
  }

  /** When there is something to report; undefined if there is nothing, or a report is under way. */
  get dueAt(): number | undefined {
    if (this.#isUnderWay || (this.#held.size === 0 && this.#taken.size === 0)) return undefined;
    return this.#sentAt + REPORT_INTERVAL_MS;
  }

  /** The report that is due; undefined if none is. */
  next(now: number): CountsReport | undefined {
    const due = this.dueAt;
    if (due === undefined || due > now) return undefined;
    const report = { held: [...this.#held].flat(), taken: [...this.#taken].flat() };
    this.#held.clear();
    this.#taken.clear();
    this.#isUnderWay = true;
    this.#sentAt = now;
    return report;
  }

  acknowledged(): void {
    this.#isUnderWay = false;
  }
}

/** Calls `each` with every key and its number. */
export function forEachCount(counts: Counted, each: (key: string, amount: number) => void): void {
  for (let i = 0; i + 1 < counts.length; i += 2) each(String(counts[i]), Number(counts[i + 1]));
}
