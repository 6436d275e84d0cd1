import type { Session, SessionConnection, User } from "../../core/sessions/session.ts";
import type { Message } from "../../protocol/messages.ts";
import { NEW_SESSION_PREFIX } from "../../protocol/rules.ts";
import type { SessionKind, SessionPatch } from "../../protocol/wire.ts";
import type { Principal } from "../auth/principal.ts";
import { actingUser } from "./acting-user.ts";
import type { AppPresence } from "./app-presence.ts";
import { customExcess } from "./custom-limits.ts";
import { APP_TOKEN_FACTOR } from "./gateway-config.ts";
import type { Reply } from "./reply.ts";
import type { SessionLife } from "./session-life.ts";
import { idOfName } from "./session-name.ts";

/** The sessions that one socket holds, and the messages about them. */
export class SocketSessions implements SessionConnection {
  readonly #presence: AppPresence;
  readonly #reply: Reply;
  readonly #maxSessions: number;
  /** Nearly all sockets have one session, and need no set. */
  #first: Session | undefined;
  #others: Set<Session> | undefined;
  /** The one that was opened last: a `close` that was sent with the `open` may know only its name. */
  #latest: Session | undefined;

  constructor(presence: AppPresence, reply: Reply, maxSessions: number) {
    this.#presence = presence;
    this.#reply = reply;
    this.#maxSessions = maxSessions;
  }

  open(message: Message<"open">, principal: Principal, now: number): void {
    const userId = actingUser(this.#reply, message, principal);
    if (userId === undefined) return;
    const limit = principal.kind === "app" ? this.#maxSessions * APP_TOKEN_FACTOR : this.#maxSessions;
    this.#presence.transact(now, (sessions) => this.#open(sessions, message, userId, limit));
  }

  #open(sessions: SessionLife, message: Message<"open">, userId: string, limit: number): void {
    const { id, kind } = message;
    const isNamed = message.sessionId?.startsWith(NEW_SESSION_PREFIX);
    const namedId = isNamed ? this.#namedId(userId, kind, message.sessionId!) : undefined;
    const sessionId = namedId ?? message.sessionId;
    const resumed = sessionId === undefined ? undefined : sessions.resumable(sessionId, userId, kind);
    if (this.#count >= limit && resumed?.connection !== this) {
      return this.#reply.error(id, "LIMIT_REACHED", `a socket holds at most ${limit} sessions`);
    }
    if (resumed === undefined && this.#presence.isShortOfMemory) {
      return this.#reply.error(id, "LIMIT_REACHED", SHORT_OF_MEMORY);
    }
    const isHeld = resumed?.connection === this;
    const evicted = isHeld ? [] : sessions.sessionsToEvict(userId, resumed);
    if (evicted === "full") {
      return this.#reply.error(id, "LIMIT_REACHED", USER_IS_FULL);
    }
    let freed = 0;
    for (const { customBytes } of evicted) freed += customBytes;
    if (!this.#mayHaveCustom(id, resumed, this.#presence.table.user(userId), message, freed)) return;
    for (const disconnected of evicted) sessions.evict(disconnected);
    const session = resumed ?? sessions.open(userId, kind, message, this, namedId);
    if (!isHeld) this.#add(session);
    this.#latest = session;
    if (resumed !== undefined) {
      sessions.takeOver(resumed, this);
      sessions.update(resumed, message);
    }
    const { sessionId: openedId } = session;
    this.#reply.send({ type: "opened", id, sessionId: openedId, resumed: resumed !== undefined });
  }

  update(message: Message<"update">, now: number): void {
    const session = this.#find(message);
    if (session === undefined) return;
    if (message.custom != null && !this.#mayHaveCustom(message.id, session, session.user, message)) return;
    this.#presence.transact(now, (sessions) => {
      sessions.update(session, message);
      this.#reply.ok(message.id);
    });
  }

  close(message: Message<"close">, now: number): void {
    const session = this.#find(message);
    if (session === undefined) return;
    const { id } = message;
    const { sessionId } = session;
    this.#remove(session);
    this.#presence.transact(now, (sessions) => {
      sessions.end(session, "closed");
      if (id !== undefined) this.#reply.send({ type: "closed", id, sessionId, cause: "closed" });
    });
  }

  onSessionTaken(session: Session, cause: "replaced" | "kicked"): void {
    this.#remove(session);
    this.#reply.send({ type: "closed", sessionId: session.sessionId, cause });
  }

  /** The socket has gone. `clean`: its sessions end at once; otherwise they wait to be resumed. */
  release(clean: boolean, now: number): void {
    if (this.#first === undefined) return;
    this.#presence.transact(now, (sessions) => {
      for (const session of this.#all()) {
        if (clean) sessions.endWithSocket(session);
        else sessions.markDisconnected(session);
      }
      this.#first = this.#others = this.#latest = undefined;
    });
  }

  /** The session that a message is about; undefined if there is none, and the client was told so. */
  #find({ id, sessionId }: Message<"update"> | Message<"close">): Session | undefined {
    const first = this.#first;
    if (sessionId !== undefined) {
      // This avoids a lookup in the table.
      if (first?.sessionId === sessionId) return first;
      const session = this.#presence.table.get(sessionId);
      if (session?.connection === this) return session;
      if (sessionId.startsWith(NEW_SESSION_PREFIX) && this.#latest !== undefined) {
        const { sessionId: latestId, user, kind } = this.#latest;
        if (this.#namedId(user.userId, kind, sessionId) === latestId) return this.#latest;
      }
      this.#reply.error(id, "NOT_FOUND", "this socket holds no session with that sessionId");
    } else if (this.#count === 1) {
      return first;
    } else if (first === undefined) {
      this.#reply.error(id, "NOT_FOUND", "this socket holds no session, open one first");
    } else {
      const issue = { path: "sessionId", message: "is required" };
      this.#reply.badMessage(id, "this socket holds several sessions", [issue]);
    }
    return undefined;
  }

  get #count(): number {
    return (this.#first === undefined ? 0 : 1) + (this.#others?.size ?? 0);
  }

  #add(session: Session): void {
    if (this.#first === undefined) this.#first = session;
    else {
      this.#others ??= new Set();
      this.#others.add(session);
    }
  }

  /** The same for the same name on every node, and another one for every user and kind. */
  #namedId(userId: string, kind: SessionKind, name: string): string {
    return idOfName(this.#presence.app.id, userId, kind, name);
  }

  #remove(session: Session): void {
    if (session === this.#latest) this.#latest = undefined;
    if (session !== this.#first) this.#others?.delete(session);
    else {
      const [next] = this.#others ?? [];
      this.#first = next;
      if (next !== undefined) this.#others?.delete(next);
    }
  }

  #all(): readonly Session[] {
    return this.#first === undefined ? [] : [this.#first, ...(this.#others ?? [])];
  }

  /**
   * Whether the custom fields of a session, or of a new one of that user, stay within their limits after a
   * patch. If not, the client is told so. `freed`: bytes of the sessions that end to make room.
   */
  #mayHaveCustom(
    id: number | undefined,
    session: Session | undefined,
    user: User | undefined,
    patch: SessionPatch,
    freed = 0,
  ): boolean {
    const excess = customExcess(session, user, patch, freed);
    if (excess === undefined) return true;
    const { of, message } = excess;
    if (of === "user") this.#reply.error(id, "LIMIT_REACHED", message);
    else {
      const issue = { path: "custom", message };
      this.#reply.badMessage(id, "too many custom fields, or too large ones", [issue]);
    }
    return false;
  }
}

export const USER_IS_FULL = "the user has all the sessions that a user may have";
export const SHORT_OF_MEMORY = "this node is short of memory, try again later";
