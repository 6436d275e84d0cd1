import type { Dialect } from "./dialect.ts";
import { gatewayDialect } from "./gateway-dialect.ts";

interface Pending {
  readonly due: number;
  readonly state: boolean;
}

/** One subscriber's clock: it knows which events are on their way, and takes the time of those that a diff brings. */
export class DiffClock {
  readonly #field: "hasFocus" | "isTyping";
  readonly #dialect: Dialect;
  readonly #onArrival: (tookMs: number, due: number) => void;
  readonly #pending = new Map<string, Pending[]>();

  /** @param field What the events change, of users with one widget each. */
  constructor(
    field: "hasFocus" | "isTyping",
    onArrival: (tookMs: number, due: number) => void,
    dialect = gatewayDialect,
  ) {
    this.#field = field;
    this.#onArrival = onArrival;
    this.#dialect = dialect;
  }

  /** Users of whom an event is on its way. */
  get waiting(): number {
    return this.#pending.size;
  }

  /** An event was due at that time. */
  expect(userId: string, state: boolean, due: number): void {
    const pending = this.#pending.get(userId);
    if (pending === undefined) this.#pending.set(userId, [{ due, state }]);
    else pending.push({ due, state });
  }

  /**
   * Takes the time of the events in a diff; returns how many there were. An event has come with the state that it made, and
   * so have all before it, where they may have been folded into it.
   */
  read(payload: Buffer): number {
    const now = performance.now();
    let events = 0;
    for (const [userId, value] of this.#dialect.changesIn(payload)) {
      const pending = this.#pending.get(userId) ?? [];
      const last = this.#lastOf(pending, value?.widgets[0]?.[this.#field]);
      for (const { due } of pending.splice(0, last + 1)) this.#onArrival(now - due, due);
      events += last + 1;
      if (pending.length === 0) this.#pending.delete(userId);
    }
    return events;
  }

  #lastOf(pending: readonly Pending[], state: unknown): number {
    if (!this.#dialect.folds) return pending[0]?.state === state ? 0 : -1;
    return pending.findLastIndex((each) => each.state === state);
  }
}
