import { NEW_SESSION, type Session } from "../../src/core/sessions/session.ts";
import type { TestGateway } from "./gateway.ts";
import { Random } from "./random.ts";
import { SEED } from "./seed.ts";

const CONVERSATIONS = 40;
const CONNECTION = { onSessionTaken() {} };

/** Users without sockets who come, leave, read and type, in an order that the seed decides. */
export class LivelyUsers {
  readonly #gateway: TestGateway;
  readonly #random = new Random(SEED);
  readonly #userIds: readonly string[];

  constructor(gateway: TestGateway, count: number) {
    this.#gateway = gateway;
    this.#userIds = Array.from({ length: count }, (_, i) => `user-${String(i).padStart(5, "0")}`);
    this.settle();
  }

  /** Changes this many users in one transaction: every third comes or leaves. */
  act(changes: number): void {
    const random = this.#random;
    this.#transact((session, open, sessions) => {
      for (let i = 0; i < changes; i++) {
        const userId = random.pick(this.#userIds);
        const found = session(userId);
        if (found === undefined) open(userId);
        else if (random.oneIn(3)) sessions.end(found, "closed");
        else {
          sessions.update(found, {
            hasFocus: random.oneIn(2),
            isTyping: random.oneIn(4),
            selectedConversationId: `c${random.below(CONVERSATIONS)}`,
          });
        }
      }
    });
  }

  /** Each user has left and come back, and all do the same: what a page shows of them has one form. */
  settle(): void {
    this.#transact((session, _open, sessions) => {
      for (const userId of this.#userIds) {
        const found = session(userId);
        if (found !== undefined) sessions.end(found, "closed");
      }
    });
    this.#transact((_session, open) => {
      for (const userId of this.#userIds) open(userId);
    });
  }

  #transact(
    act: (
      session: (userId: string) => Session | undefined,
      open: (userId: string) => void,
      sessions: Parameters<Parameters<ReturnType<TestGateway["presence"]>["transact"]>[1]>[0],
    ) => void,
  ): void {
    const presence = this.#gateway.presence();
    presence.transact(this.#gateway.node.clock.now(), (sessions) =>
      act(
        (userId) => presence.table.user(userId)?.sessions[0],
        (userId) =>
          void sessions.open(userId, "widget", { ...NEW_SESSION, selectedConversationId: "c0" }, CONNECTION),
        sessions,
      ),
    );
  }
}
