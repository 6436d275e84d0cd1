import type { BodyBudget } from "../http/body-budget.ts";

const FIRST_CAPACITY = 4_096;

/**
 * The pieces of a body that is not complete, copied into one buffer: a body in chunks may have a piece for
 * each byte.
 */
export class BodyParts {
  readonly #budget: BodyBudget;
  readonly #owner: string;
  #bytes = NO_BYTES;
  #held = 0;

  constructor(budget: BodyBudget, owner: string) {
    this.#budget = budget;
    this.#owner = owner;
  }

  get length(): number {
    return this.#held;
  }

  /** Keeps a copy of the bytes. False: there is no room for them. */
  add(bytes: Buffer): boolean {
    if (!this.#budget.take(this.#owner, bytes.length)) return false;
    const length = this.#held + bytes.length;
    if (length > this.#bytes.length) {
      const more = Buffer.allocUnsafeSlow(Math.max(FIRST_CAPACITY, length, 2 * this.#bytes.length));
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
    this.#budget.release(this.#owner, this.#held);
    this.#held = 0;
    this.#bytes = NO_BYTES;
  }
}

const NO_BYTES = Buffer.alloc(0);
