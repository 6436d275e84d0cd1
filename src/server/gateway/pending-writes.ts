import { TURN_MS, WRITE_MS } from "./turn-budget.ts";

/** A send queue whose frames wait for the end of the turn. */
export interface PendingWriter {
  /** Writes all of its frames at once. Returns the estimated cost in milliseconds. */
  write(): number;
}

/** While so many writers wait, no more diffs are delivered: two turns of the event loop write them. */
const MAX_WAITING = (2 * TURN_MS) / WRITE_MS;
/**
 * How long the next writes wait, in milliseconds, after a round of writes that took more than one turn. By
 * then more frames have come, and leave in the same writes.
 */
export const PAUSE_MS = 2;

/**
 * The send queues of a node that have frames to write, in the order of their first frame. They are written
 * after the event loop has handled what has arrived, so the frames that a reader gets in one turn leave in
 * one write: nearly all of a delivery's cost is that of the write. A turn writes for a limited time. The
 * readers whose turn comes later get in the same write what arises meanwhile. Writers that come while such a
 * long round is written are written in the next one, after a short pause: a busy node writes less often, and
 * more at once. A quiet node writes at the end of each turn.
 */
export class PendingWrites {
  readonly #onFailure: (error: unknown) => void;
  /** Those of this round, each of them once, however often it was added. */
  #round = new Set<PendingWriter>();
  /** Those of the next round, which are not in this one. */
  #next = new Set<PendingWriter>();
  /** This round takes more than one turn. */
  #isLong = false;
  #isArmed = false;

  /** `onFailure` is called with what a writer throws. The others are still written. */
  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  /** How many writers wait. */
  get size(): number {
    return this.#round.size + this.#next.size;
  }

  /** Whether work that adds more writers should wait. */
  get isFull(): boolean {
    return this.size >= MAX_WAITING;
  }

  /**
   * Calls `write` of a writer at the end of this turn or of one of the next: once, even if it is added again
   * until then.
   */
  add(writer: PendingWriter): void {
    if (!this.#isLong) this.#round.add(writer);
    else if (!this.#round.has(writer)) this.#next.add(writer);
    if (!this.#isArmed) this.#writeAfterTurn();
  }

  #writeAfterTurn(): void {
    this.#isArmed = true;
    setImmediate(this.#run);
  }

  readonly #run = (): void => {
    this.#writeSome();
    if (this.#round.size > 0) {
      this.#isLong = true;
      return this.#writeAfterTurn();
    }
    this.#isLong = false;
    this.#isArmed = false;
    // Only a long round has a next one.
    if (this.#next.size === 0) return;
    const written = this.#round;
    this.#round = this.#next;
    this.#next = written;
    // While it is full, deliveries wait for room.
    if (this.isFull) return this.#writeAfterTurn();
    this.#isArmed = true;
    setTimeout(this.#run, PAUSE_MS);
  };

  #writeSome(): void {
    let spentMs = 0;
    for (const writer of this.#round) {
      if (spentMs >= TURN_MS) return;
      // Before it writes, which may add it again.
      this.#round.delete(writer);
      try {
        spentMs += writer.write();
      } catch (error) {
        // It counts, or one that fails and is added again would be written in this turn for ever.
        spentMs += WRITE_MS;
        this.#onFailure(error);
      }
    }
  }
}
