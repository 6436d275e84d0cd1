import { TURN_MS, TurnBudget } from "../gateway/turn-budget.ts";

/** An upper estimate of one step of a count: it checks thousands of sessions. */
const STEP_MS = TURN_MS / 2;

/** A step of a count. Returns how many users there are; undefined if more steps are needed. */
export type CountStep = () => number | undefined;

/**
 * The steps of long counts, a limited number in one turn of the event loop, however many counts there are.
 * Apps take turns, and so do the counts of an app.
 */
export class CountTurns {
  readonly #turn: TurnBudget;
  /** What waits, by app. The app that waits longest is in front. */
  readonly #waiting = new Map<string, (() => boolean)[]>();

  /** `crashed` is called for a defect of this class only: the promise of a count has its error. */
  constructor(crashed: (error: unknown) => void) {
    this.#turn = new TurnBudget(crashed);
  }

  /** Does the steps in later turns. `owner`: the app that asks. */
  run(owner: string, step: CountStep): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#wait(owner, () => {
        try {
          const users = step();
          if (users !== undefined) resolve(users);
          return users !== undefined;
        } catch (error) {
          reject(error);
          return true;
        }
      });
    });
  }

  /** `act` returns whether it is done. */
  #wait(owner: string, act: () => boolean): void {
    const queue = this.#waiting.get(owner);
    if (queue === undefined) this.#waiting.set(owner, [act]);
    else queue.push(act);
    this.#turn.onNextTurn(this.#next);
  }

  readonly #next = (): void => {
    for (const [owner, queue] of this.#waiting) {
      if (this.#turn.isSpent) return this.#turn.onNextTurn(this.#next);
      this.#waiting.delete(owner);
      const act = queue.shift()!;
      this.#turn.spend(STEP_MS);
      if (!act()) queue.push(act);
      if (queue.length > 0) this.#waiting.set(owner, queue);
    }
  };
}
