import { TurnBudget } from "../gateway/turn-budget.ts";
import type { BodyBudget } from "./body-budget.ts";
import { errorResponse, type HttpResponse } from "./exchange.ts";

/**
 * An upper estimate of the processor time of a check in milliseconds, by the bytes of its body: see `bench`.
 * Ids of other characters than ASCII take longest.
 */
const BYTE_MS = 4e-5;
const TOO_MANY = errorResponse(
  503,
  { body: ["too many checks wait for their turn"] },
  { "retry-after": "1" },
);

/**
 * A check of 10,000 users takes as long as hundreds of other requests. So only few of them are done in one
 * turn of the event loop, however many arrive at once. The others wait for the next turns. Apps take turns
 * too.
 */
export class CheckTurns {
  readonly #turn: TurnBudget;
  readonly #bodies: BodyBudget;
  readonly #refused: () => void;
  /** What waits, by app. The app that waits longest is in front. */
  readonly #waiting = new Map<string, (() => void)[]>();

  /**
   * `bodies` bounds what waits. `refused` is called where that has no room. `crashed` is called for a defect
   * of this class only: the promise of a check has its error.
   */
  constructor(bodies: BodyBudget, refused: () => void, crashed: (error: unknown) => void) {
    this.#bodies = bodies;
    this.#refused = refused;
    this.#turn = new TurnBudget(crashed);
  }

  /** Calls `check` with the body, or with a copy of it in a later turn. `owner`: the app that asks. */
  run(
    owner: string,
    body: Buffer,
    check: (body: Buffer) => HttpResponse,
  ): HttpResponse | Promise<HttpResponse> {
    const { length } = body;
    if (this.#waiting.size === 0 && !this.#turn.isSpent) {
      this.#turn.spend(length * BYTE_MS);
      return check(body);
    }
    if (!this.#bodies.take(owner, length)) {
      this.#refused();
      return TOO_MANY;
    }
    // The bytes are valid only until this returns.
    const copy = Buffer.from(body);
    return new Promise((resolve, reject) => {
      this.#wait(owner, () => {
        this.#bodies.release(owner, length);
        this.#turn.spend(length * BYTE_MS);
        try {
          resolve(check(copy));
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  #wait(owner: string, check: () => void): void {
    const queue = this.#waiting.get(owner);
    if (queue === undefined) this.#waiting.set(owner, [check]);
    else queue.push(check);
    this.#turn.onNextTurn(this.#next);
  }

  readonly #next = (): void => {
    for (const [owner, queue] of this.#waiting) {
      if (this.#turn.isSpent) return this.#turn.onNextTurn(this.#next);
      this.#waiting.delete(owner);
      const check = queue.shift()!;
      if (queue.length > 0) this.#waiting.set(owner, queue);
      check();
    }
  };
}
