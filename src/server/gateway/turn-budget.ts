/**
 * So much work of a kind, in milliseconds of the estimates below, is done in one turn of the event loop
 * before others are served.
 */
export const TURN_MS = 4;
/** So much of a delivery is done before others have their turn. */
export const DELIVER_AT_ONCE_MS = TURN_MS / 4;

// Estimates of processor time in milliseconds, from `bench` (fan-out, snapshot). They need not be exact: they
// make a large piece of work count for more than a small one, the same on every machine and in every test.

/** One frame to one reader, whatever its size. */
const DELIVERY_MS = 0.005;
/** Each byte of a frame to one reader. */
const DELIVERED_BYTE_MS = 0.6e-6;
/** One user whose entry is looked at in a flush. */
const CHANGE_MS = 0.002;
/** Each UTF-16 unit of a diff that is encoded. */
const ENCODED_UNIT_MS = 3e-6;
/** One page of a snapshot or answer, made and sent. */
export const PAGE_MS = 0.25;

/** What it costs to make a diff. */
export function flushCostMs(changes: number, units: number): number {
  return changes * CHANGE_MS + units * ENCODED_UNIT_MS;
}

/** What it costs to send a frame to one of many readers. */
export function deliveryCostMs(bytes: number): number {
  return DELIVERY_MS + bytes * DELIVERED_BYTE_MS;
}

/** How much work of one kind was done in this turn of the event loop. One for a whole node. */
export class TurnBudget {
  readonly #onFailure: (error: unknown) => void;
  readonly #turnMs: number;
  #spentMs = 0;
  #nextTurn: NodeJS.Immediate | undefined;
  #waiting = new Set<() => void>();

  /** `onFailure` is told what a callback throws; the others are called all the same. */
  constructor(onFailure: (error: unknown) => void, turnMs = TURN_MS) {
    this.#onFailure = onFailure;
    this.#turnMs = turnMs;
  }

  get isSpent(): boolean {
    return this.#spentMs >= this.#turnMs;
  }

  /** What is left of this turn, in milliseconds. */
  get leftMs(): number {
    return Math.max(0, this.#turnMs - this.#spentMs);
  }

  spend(ms: number): void {
    this.#spentMs += ms;
    this.#arm();
  }

  /**
   * Calls back in the next turn that has time for it: once, however often it is asked for the same function.
   */
  onNextTurn(callback: () => void): void {
    this.#waiting.add(callback);
    this.#arm();
  }

  #arm(): void {
    this.#nextTurn ??= setImmediate(() => {
      this.#nextTurn = undefined;
      this.#spentMs = 0;
      this.#callBack();
    });
  }

  #callBack(): void {
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const callback of waiting) {
      if (this.isSpent) break;
      waiting.delete(callback);
      try {
        callback();
      } catch (error) {
        this.#onFailure(error);
      }
    }
    if (waiting.size === 0) return;
    // Those who were not called are in front of those who ask again.
    for (const callback of this.#waiting) waiting.add(callback);
    this.#waiting = waiting;
    this.#arm();
  }
}
