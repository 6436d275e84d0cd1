/**
 * How much work of one kind is done in one turn of the event loop before others are served, in milliseconds
 * of the estimates below.
 */
export const TURN_MS = 4;
/** How much of one delivery is done before other work has its turn. */
export const DELIVER_AT_ONCE_MS = TURN_MS / 4;

// Estimates of processor time in milliseconds, from `bench` (fan-out, snapshot). They need not be exact: they
// make a large piece of work count for more than a small one, the same on every machine and in every test.

/** One frame that is put into the send queue of a reader, whatever its size. */
const DELIVERY_MS = 0.001;
/** One write to a reader, whatever its size. */
export const WRITE_MS = 0.004;
/** Each byte of a frame to one reader. */
const DELIVERED_BYTE_MS = 0.6e-6;
/** One flush, whatever it shows: most of the cost where thousands of views show the same user. */
const FLUSH_MS = 0.006;
/** One user whose entry is checked in a flush. */
const CHANGE_MS = 0.002;
/** Each UTF-16 unit of a diff that is encoded. */
const ENCODED_UNIT_MS = 3e-6;
/** One page of a snapshot or result, encoded and sent. */
export const PAGE_MS = 0.25;

/** The cost of a flush: `changes` entries, and a diff of `units` UTF-16 units. */
export function flushCostMs(changes: number, units: number): number {
  return FLUSH_MS + changes * CHANGE_MS + units * ENCODED_UNIT_MS;
}

/** The cost of putting a frame of `bytes` bytes into the send queue of one of many readers. */
export function deliveryCostMs(bytes: number): number {
  return DELIVERY_MS + bytes * DELIVERED_BYTE_MS;
}

/** The cost of one write of `bytes` bytes to a reader. */
export function writeCostMs(bytes: number): number {
  return WRITE_MS + bytes * DELIVERED_BYTE_MS;
}

/** Counts the work of one kind in the current turn of the event loop. There is one for a whole node. */
export class TurnBudget {
  readonly #onFailure: (error: unknown) => void;
  readonly #turnMs: number;
  readonly #mustWait: () => boolean;
  #spentMs = 0;
  #nextTurn: NodeJS.Immediate | undefined;
  #waiting = new Set<() => void>();

  /**
   * `onFailure` is called with an error from a callback. The other callbacks are still called. `mustWait`:
   * whether there is no time for this work now, because what it has caused so far is still to be done.
   */
  constructor(onFailure: (error: unknown) => void, turnMs = TURN_MS, mustWait: () => boolean = () => false) {
    this.#onFailure = onFailure;
    this.#turnMs = turnMs;
    this.#mustWait = mustWait;
  }

  get isSpent(): boolean {
    return this.#spentMs >= this.#turnMs || this.#mustWait();
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
   * Calls back in the next turn that has time for it. The same function is called once, however often it is
   * passed.
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
    // Callbacks that were not called go before those that were added meanwhile.
    for (const callback of this.#waiting) waiting.add(callback);
    this.#waiting = waiting;
    this.#arm();
  }
}
