import { TURN_MS } from "../gateway/turn-budget.ts";
import { OwnerTurns } from "./owner-turns.ts";

/** An upper estimate of one step of a count: it checks thousands of sessions. */
const STEP_MS = TURN_MS / 2;

/** A step of a count. Returns how many users there are; undefined if more steps are needed. */
export type CountStep = () => number | undefined;

/** The steps of long counts: a limited number in one turn of the event loop, however many counts wait. */
export class CountTurns {
  readonly #turns: OwnerTurns;

  /** `crashed` is called for a defect of this class only: the promise of a count has its error. */
  constructor(crashed: (error: unknown) => void) {
    this.#turns = new OwnerTurns(crashed);
  }

  /** Does the steps in later turns. `owner`: the app that asks. */
  run(owner: string, step: CountStep): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#turns.wait(owner, () => {
        this.#turns.spend(STEP_MS);
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
}
