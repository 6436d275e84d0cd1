import type { Dialect } from "./dialect.ts";
import { gatewayDialect } from "./gateway-dialect.ts";

interface Pending {
  readonly due: number;
  readonly state: boolean;
}

/**
 * The clock of one subscriber. It knows the pending events and measures how long each takes until its diff.
 */
export class DiffClock {
  readonly #field: "hasFocus" | "isTyping";
  readonly #dialect: Dialect;
  readonly #onArrival: (tookMs: number, due: number) => void;
  readonly #pending = new Map<string, Pending[]>();

  /** @param field The field that the events change, for users with one widget each. */
  constructor(
    field: "hasFocus" | "isTyping",
    onArrival: (tookMs: number, due: number) => void,
    dialect = gatewayDialect,
  ) {
    this.#field = field;
    this.#onArrival = onArrival;
    this.#dialect = dialect;
  }

  /** Number of users with a pending event. */
  get waiting(): number {
    return this.#pending.size;
  }

  /**
   * Registers an event. `due` is the time at which it had to be sent, in milliseconds of `performance.now()`.
   */
  expect(userId: string, state: boolean, due: number): void {
    const pending = this.#pending.get(userId);
    if (pending === undefined) this.#pending.set(userId, [{ due, state }]);
    else pending.push({ due, state });
  }

  /**
   * Measures the events that a diff contains and returns their number. An event has arrived with the state
   * that it made. If the server merges events, all earlier events of the user have arrived with it.
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
    if (!this.#dialect.coalesces) return pending[0]?.state === state ? 0 : -1;
    return pending.findLastIndex((each) => each.state === state);
  }
}
