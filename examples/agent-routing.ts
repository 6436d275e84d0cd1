// Gives each new chat to a free agent of a team, with the client SDK.
//
// The page of an agent opens a session that says what the agent does:
//
//   const session = client.open({ kind: "widget", custom: { team: "billing", state: "free" } });
//   session.set({ custom: { state: "talking" } });
//
// The app has `"indexedCustom": ["team"]`, so the filter below costs updates of other teams nothing.

import type { PresenceClient, PresenceValue, Subscription } from "@presence-gateway/client";

/** The free agents of one team, live. */
export class FreeAgents {
  readonly #subscription: Subscription<Pick<PresenceValue, "status">>;
  /** In the order in which they became free. */
  readonly #free = new Set<string>();

  /** `client`: with an app token, or with a token that may read everybody. */
  constructor(client: PresenceClient, team: string) {
    // Agents who are idle, away, busy or want no disturbance are not free. Their sessions are not needed.
    const filter = { custom: { team, state: "free" }, status: ["online"], fields: [] } as const;
    this.#subscription = client.subscribe(filter, (_, { entered, left }) => {
      for (const { userId } of left) this.#free.delete(userId);
      for (const userId of entered) this.#free.add(userId);
    });
  }

  /** Resolves when the agents are known. Rejects if the gateway refuses. */
  get ready(): Promise<unknown> {
    return this.#subscription.connected;
  }

  get count(): number {
    return this.#free.size;
  }

  /**
   * Takes the agent who has been free for the longest time. The agent is in the list again after being seen
   * with another state or status, and then free. Undefined: nobody is free.
   */
  take(): string | undefined {
    const [agent] = this.#free;
    if (agent !== undefined) this.#free.delete(agent);
    return agent;
  }

  /** The agent did not accept, but is still free: the last in the row. */
  giveBack(agent: string): void {
    if (this.#subscription.snapshot?.has(agent)) this.#free.add(agent);
  }

  close(): void {
    this.#subscription.unsubscribe();
  }
}
