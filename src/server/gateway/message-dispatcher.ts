import type { ClientMessage, Message } from "../../protocol/messages.ts";
import { mayAskAbout, type Principal } from "../auth/principal.ts";
import { actingUser } from "./acting-user.ts";
import type { AppPresence } from "./app-presence.ts";
import type { GatewayNode } from "./gateway-node.ts";
import { KEEPS_NO_LAST_SEEN, lastSeenOf } from "./last-seen.ts";
import type { Reply } from "./reply.ts";
import type { SendQueue } from "./send-queue.ts";
import { SocketSessions } from "./socket-sessions.ts";
import type { SubscriptionOwner } from "./subscription.ts";
import { Subscriptions } from "./subscriptions.ts";
import type { UserBudget } from "./user-budget.ts";

/** A message of a client that has connected. The messages with a token are the business of the connection. */
export type PresenceMessage = Exclude<ClientMessage, Message<"connect"> | Message<"refresh">>;

/** What the dispatcher needs of its connection. */
export interface DispatcherConnection extends Reply, SubscriptionOwner {
  readonly sendQueue: SendQueue;
}

/** Does what the messages of one socket ask for. It has the sessions and the subscriptions of the socket. */
export class MessageDispatcher {
  readonly #node: GatewayNode;
  readonly #presence: AppPresence;
  readonly #connection: DispatcherConnection;
  readonly #sessions: SocketSessions;
  #subscriptions: Subscriptions | undefined;

  constructor(node: GatewayNode, presence: AppPresence, connection: DispatcherConnection) {
    this.#node = node;
    this.#presence = presence;
    this.#connection = connection;
    this.#sessions = new SocketSessions(presence, connection, node.limits.maxSessionsPerSocket);
  }

  /** `budget`: that of the socket, which its subscriptions are charged to. */
  dispatch(message: PresenceMessage, principal: Principal, budget: UserBudget, now: number): void {
    switch (message.type) {
      case "update":
        return this.#sessions.update(message, now);
      case "open":
        return this.#sessions.open(message, principal, now);
      case "close":
        return this.#sessions.close(message, now);
      case "status":
        return this.#declare(message, principal, now);
      case "last_seen":
        return this.#lastSeen(message, principal, now);
      case "subscribe":
        return this.#ensureSubscriptions(budget).subscribe(message, principal);
      case "unsubscribe":
        return this.#ensureSubscriptions(budget).unsubscribe(message, now);
      case "query":
        this.#ensureSubscriptions(budget).query(message, principal);
        return this.#node.telemetry.observeQuery(this.#node.clock.now() - now);
      case "ping":
        return this.#connection.send({ type: "pong", id: message.id });
    }
  }

  /** The socket has another token: ends the subscriptions that it does not allow. */
  recheck(principal: Principal, now: number): void {
    this.#subscriptions?.recheck(principal, now);
  }

  /** The socket has gone. `clean`: the client meant to end its sessions. */
  release(clean: boolean, now: number): void {
    try {
      this.#subscriptions?.endAll(now);
    } finally {
      this.#sessions.release(clean, now);
    }
  }

  #declare(message: Message<"status">, principal: Principal, now: number): void {
    const userId = actingUser(this.#connection, message, principal);
    if (userId === undefined) return;
    this.#presence.transact(now, ({ profiles }) => profiles.declare(userId, message));
    this.#connection.ok(message.id);
  }

  #lastSeen({ id, userIds }: Message<"last_seen">, principal: Principal, now: number): void {
    const data = lastSeenOf(this.#presence, userIds, now);
    if (data === undefined) this.#connection.error(id, "NOT_FOUND", KEEPS_NO_LAST_SEEN);
    else if (mayAskAbout(principal, userIds)) this.#connection.send({ type: "last_seen", id, data });
    else this.#connection.error(id, "FORBIDDEN", "the token does not allow this: ask for granted userIds");
  }

  /** Created on demand, as most sockets subscribe to nothing. */
  #ensureSubscriptions(budget: UserBudget): Subscriptions {
    this.#subscriptions ??= new Subscriptions(
      this.#presence,
      this.#connection.sendQueue,
      this.#connection,
      this.#connection,
      this.#node.limits.maxSubscriptionsPerSocket,
      budget,
    );
    return this.#subscriptions;
  }
}
