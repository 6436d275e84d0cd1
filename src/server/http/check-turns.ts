import type { BodyBudget } from "./body-budget.ts";
import { errorResponse, type HttpResponse } from "./exchange.ts";
import { OwnerTurns } from "./owner-turns.ts";

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
  readonly #turns: OwnerTurns;
  readonly #bodies: BodyBudget;
  readonly #refused: () => void;

  /**
   * `bodies` bounds what waits. `refused` is called where that has no room. `crashed` is called for a defect
   * of this class only: the promise of a check has its error.
   */
  constructor(bodies: BodyBudget, refused: () => void, crashed: (error: unknown) => void) {
    this.#bodies = bodies;
    this.#refused = refused;
    this.#turns = new OwnerTurns(crashed);
  }

  /** Calls `check` with the body, or with a copy of it in a later turn. `owner`: the app that asks. */
  run(
    owner: string,
    body: Buffer,
    check: (body: Buffer) => HttpResponse,
  ): HttpResponse | Promise<HttpResponse> {
    const { length } = body;
    if (this.#turns.isFree) {
      this.#turns.spend(length * BYTE_MS);
      return check(body);
    }
    if (!this.#bodies.take(owner, length)) {
      this.#refused();
      return TOO_MANY;
    }
    // The bytes are valid only until this returns.
    const copy = Buffer.from(body);
    return new Promise((resolve, reject) => {
      this.#turns.wait(owner, () => {
        this.#bodies.release(owner, length);
        this.#turns.spend(length * BYTE_MS);
        try {
          resolve(check(copy));
        } catch (error) {
          reject(error);
        }
        return true;
      });
    });
  }
}
