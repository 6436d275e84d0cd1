import { TURN_MS, WRITE_MS } from "./turn-budget.ts";

/** A send queue whose frames wait for the end of the turn. */
export interface PendingWriter {
  /** Writes all of its frames at once. Returns the estimated cost in milliseconds. */
  write(): number;
}

/** While so many writers wait, no more diffs are delivered: two turns of the event loop write them. */
const MAX_WAITING = (2 * TURN_MS) / WRITE_MS;

/**
 * The send queues of a node that have frames to write, in the order of their first frame. They are written
 * after the event loop has handled what has arrived, so the frames that a reader gets in one turn leave in
 * one write: nearly all of a delivery's cost is that of the write. A turn writes for a limited time. The
 * readers whose turn comes later get in the same write what arises meanwhile. Nothing waits for a timer.
 */
export class PendingWrites {
  readonly #onFailure: (error: unknown) => void;
  /** Each of them once, however often it was added. */
  readonly #waiting = new Set<PendingWriter>();
  #endOfTurn: NodeJS.Immediate | undefined;

  /** `onFailure` is called with what a writer throws. The others are still written. */
  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  /** How many writers wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Whether work that adds more writers should wait. */
  get isFull(): boolean {
    return this.#waiting.size >= MAX_WAITING;
  }

  /**
   * Calls `write` of a writer at the end of this turn or of one of the next: once, even if it is added again
   * until then.
   */
  add(writer: PendingWriter): void {
    this.#waiting.add(writer);
    this.#endOfTurn ??= setImmediate(this.#run);
  }

  readonly #run = (): void => {
    let spentMs = 0;
    for (const writer of this.#waiting) {
      if (spentMs >= TURN_MS) break;
      // Before it writes, which may add it again.
      this.#waiting.delete(writer);
      try {
        spentMs += writer.write();
      } catch (error) {
        // It counts, or one that fails and is added again would be written in this turn for ever.
        spentMs += WRITE_MS;
        this.#onFailure(error);
      }
    }
    this.#endOfTurn = this.#waiting.size > 0 ? setImmediate(this.#run) : undefined;
  };
}
