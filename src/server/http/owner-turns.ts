import { TurnBudget } from "../gateway/turn-budget.ts";

/**
 * Long work for HTTP requests: a limited amount in one turn of the event loop, however many requests arrive.
 * The rest waits for the next turns. Apps take turns, and so do the requests of an app.
 */
export class OwnerTurns {
  readonly #turn: TurnBudget;
  /** What waits, by app. The app that waits longest is in front. */
  readonly #waiting = new Map<string, (() => boolean)[]>();

  /** `crashed` is called for a defect: what is passed to `wait` must not throw. */
  constructor(crashed: (error: unknown) => void) {
    this.#turn = new TurnBudget(crashed);
  }

  /** Whether nothing waits, and this turn has time left. */
  get isFree(): boolean {
    return this.#waiting.size === 0 && !this.#turn.isSpent;
  }

  /** Work has taken, or is about to take, so many milliseconds of this turn. */
  spend(ms: number): void {
    this.#turn.spend(ms);
  }

  /** Calls `act` in later turns until it returns true. `owner`: the app that asks. */
  wait(owner: string, act: () => boolean): void {
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
      if (!act()) queue.push(act);
      if (queue.length > 0) this.#waiting.set(owner, queue);
    }
  };
}
