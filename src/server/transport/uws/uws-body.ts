import type { BodyBudget } from "../../http/body-budget.ts";

/** The pieces of a body that is not complete. */
export class BodyParts {
  readonly #budget: BodyBudget;
  readonly #owner: string;
  #chunks: Buffer[] = [];
  #held = 0;

  constructor(budget: BodyBudget, owner: string) {
    this.#budget = budget;
    this.#owner = owner;
  }

  /** Keeps a copy of the bytes. False: there is no room for them. */
  add(bytes: Buffer): boolean {
    if (!this.#budget.take(this.#owner, bytes.length)) return false;
    this.#held += bytes.length;
    this.#chunks.push(Buffer.from(bytes));
    return true;
  }

  /** The whole body, of which these are the last bytes. Its bytes no longer count. */
  whole(last: Buffer): Buffer {
    const body = Buffer.concat([...this.#chunks, last]);
    this.release();
    return body;
  }

  release(): void {
    this.#budget.release(this.#owner, this.#held);
    this.#held = 0;
    this.#chunks = [];
  }
}
