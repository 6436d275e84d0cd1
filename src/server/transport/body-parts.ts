import type { BodyBudget } from "../http/body-budget.ts";

const FIRST_CAPACITY = 4_096;

/**
 * The pieces of a body that is not complete, copied into one buffer: a body in chunks may have a piece for
 * each byte. The whole buffer is charged to the owner, so the budget bounds what is really held.
 */
export class BodyParts {
  readonly #budget: BodyBudget;
  readonly #owner: string;
  readonly #maxBytes: number;
  #bytes = NO_BYTES;
  #held = 0;

  /** `maxBytes`: the pieces are never longer than this altogether. */
  constructor(budget: BodyBudget, owner: string, maxBytes: number) {
    this.#budget = budget;
    this.#owner = owner;
    this.#maxBytes = maxBytes;
  }

  get length(): number {
    return this.#held;
  }

  /** Keeps a copy of the bytes. False: there is no room for them. */
  add(bytes: Buffer): boolean {
    const length = this.#held + bytes.length;
    const capacity = this.#bytes.length;
    if (length > capacity) {
      const grown = Math.max(length, Math.min(this.#maxBytes, Math.max(FIRST_CAPACITY, 2 * capacity)));
      if (!this.#budget.take(this.#owner, grown - capacity)) return false;
      const more = Buffer.allocUnsafeSlow(grown);
      this.#bytes.copy(more, 0, 0, this.#held);
      this.#bytes = more;
    }
    bytes.copy(this.#bytes, this.#held);
    this.#held = length;
    return true;
  }

  /** The whole body, of which these are the last bytes. Its bytes no longer count. */
  whole(last: Buffer): Buffer {
    const kept = this.#bytes.subarray(0, this.#held);
    const body = last.length === 0 ? kept : Buffer.concat([kept, last]);
    this.release();
    return body;
  }

  release(): void {
    this.#budget.release(this.#owner, this.#bytes.length);
    this.#held = 0;
    this.#bytes = NO_BYTES;
  }
}

const NO_BYTES = Buffer.alloc(0);
