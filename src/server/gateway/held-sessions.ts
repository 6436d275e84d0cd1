import { bytesAfter, keysAfter, NEW_SESSION } from "../../core/sessions/session.ts";
import type { Message } from "../../protocol/messages.ts";
import { MAX_CUSTOM_BYTES, MAX_CUSTOM_KEYS, MAX_USER_CUSTOM_BYTES } from "../../protocol/rules.ts";
import type { SessionPatch } from "../../protocol/wire.ts";
import type { Principal } from "../auth/principal.ts";
import { APP_TOKEN_FACTOR, MAX_DUE_PER_TURN } from "./limits.ts";
import type { Reply } from "./reply.ts";
import type { HeldSession, Holder, Tenant } from "./tenant.ts";

/** The sessions that one socket holds, and the messages about them. */
export class HeldSessions implements Holder {
  readonly #tenant: Tenant;
  readonly #reply: Reply;
  readonly #maxSessions: number;
  /** Nearly all sockets have one session, and no set for it. */
  #first: HeldSession | undefined;
  #others: Set<HeldSession> | undefined;

  constructor(tenant: Tenant, reply: Reply, maxSessions: number) {
    this.#tenant = tenant;
    this.#reply = reply;
    this.#maxSessions = maxSessions;
  }

  open(message: Message<"open">, principal: Principal, now: number): void {
    const { id, kind, sessionId, userId: asked } = message;
    if (principal.kind === "user" && asked !== undefined && asked !== principal.userId) {
      return this.#reply.error(id, "FORBIDDEN", "a user token opens sessions of its own user only");
    }
    const userId = principal.kind === "user" ? principal.userId : asked;
    if (userId === undefined) {
      const issue = { path: "userId", message: "is required: an app token has no user of its own" };
      return this.#reply.bad(id, "a session needs a user", [issue]);
    }
    const resumed = sessionId === undefined ? undefined : this.#tenant.resumable(sessionId, userId, kind);
    const limit = principal.kind === "app" ? this.#maxSessions * APP_TOKEN_FACTOR : this.#maxSessions;
    if (this.#count >= limit && resumed?.holder !== this) {
      return this.#reply.error(id, "LIMIT_REACHED", `a socket holds at most ${limit} sessions`);
    }
    if (resumed === undefined && this.#tenant.isShortOfMemory) {
      return this.#reply.error(id, "LIMIT_REACHED", SHORT_OF_MEMORY);
    }
    const isHeld = resumed?.holder === this;
    const evicted = isHeld ? [] : this.#tenant.sessionsToEvict(userId, now, resumed);
    if (evicted === "full") {
      return this.#reply.error(id, "LIMIT_REACHED", "the user has all the sessions that a user may have");
    }
    let freed = 0;
    for (const { customBytes } of evicted) freed += customBytes;
    if (!this.#mayHaveCustom(id, resumed, this.#tenant.table.user(userId), message, freed)) return;
    for (const lost of evicted) this.#tenant.evict(lost, now);
    const session = resumed ?? this.#tenant.open(userId, kind, message, this, now);
    if (!isHeld) this.#add(session);
    if (resumed !== undefined) {
      this.#tenant.takeOver(resumed, this, now);
      this.#tenant.update(resumed, message, now);
    }
    const { sessionId: openedId } = session;
    this.#reply.send({ type: "opened", id, sessionId: openedId, resumed: resumed !== undefined });
    this.#tenant.settle(now);
  }

  update(message: Message<"update">, now: number): void {
    const session = this.#find(message);
    if (session === undefined) return;
    if (message.custom != null && !this.#mayHaveCustom(message.id, session, session.user, message)) return;
    this.#tenant.update(session, message, now);
    this.#reply.ok(message.id);
    this.#tenant.settle(now);
  }

  close(message: Message<"close">, now: number): void {
    const session = this.#find(message);
    if (session === undefined) return;
    const { id } = message;
    const { sessionId } = session;
    this.#remove(session);
    this.#tenant.end(session, "closed", now);
    if (id !== undefined) this.#reply.send({ type: "closed", id, sessionId, cause: "closed" });
    this.#tenant.settle(now);
  }

  lose(session: HeldSession, cause: "replaced" | "kicked"): void {
    this.#remove(session);
    this.#reply.send({ type: "closed", sessionId: session.sessionId, cause });
  }

  /** The socket is gone: `clean` ends its sessions at once, otherwise they wait to be resumed. */
  release(clean: boolean, now: number): void {
    let ended = 0;
    for (const session of this.#all()) {
      if (!clean) this.#tenant.lose(session, now);
      else if (ended++ < MAX_DUE_PER_TURN) this.#tenant.end(session, "closed", now);
      else this.#tenant.leave(session, now);
    }
    this.#first = undefined;
    this.#others = undefined;
    if (clean) this.#tenant.settle(now);
  }

  /** The session that a message is about, or undefined when the client was told that there is none. */
  #find({ id, sessionId }: Message<"update"> | Message<"close">): HeldSession | undefined {
    const first = this.#first;
    if (sessionId !== undefined) {
      // That spares a look into the table.
      if (first?.sessionId === sessionId) return first;
      const session = this.#tenant.table.get(sessionId);
      if (session?.holder === this) return session;
      this.#reply.error(id, "NOT_FOUND", "this socket holds no session with that sessionId");
    } else if (this.#count === 1) {
      return first;
    } else if (first === undefined) {
      this.#reply.error(id, "NOT_FOUND", "this socket holds no session, open one first");
    } else {
      const issue = { path: "sessionId", message: "is required" };
      this.#reply.bad(id, "this socket holds several sessions", [issue]);
    }
    return undefined;
  }

  get #count(): number {
    return (this.#first === undefined ? 0 : 1) + (this.#others?.size ?? 0);
  }

  #add(session: HeldSession): void {
    if (this.#first === undefined) this.#first = session;
    else {
      this.#others ??= new Set();
      this.#others.add(session);
    }
  }

  #remove(session: HeldSession): void {
    if (session !== this.#first) this.#others?.delete(session);
    else {
      const [next] = this.#others ?? [];
      this.#first = next;
      if (next !== undefined) this.#others?.delete(next);
    }
  }

  *#all(): Iterable<HeldSession> {
    if (this.#first !== undefined) yield this.#first;
    if (this.#others !== undefined) yield* this.#others;
  }

  /**
   * Whether the custom fields keep within their bounds after a patch, of a session or of a new one of that
   * user; answers if not. `freed`: bytes of the sessions that end for it.
   */
  #mayHaveCustom(
    id: number | undefined,
    session: HeldSession | undefined,
    user: HeldSession["user"] | undefined,
    patch: SessionPatch,
    freed = 0,
  ): boolean {
    const before = session ?? NEW_SESSION;
    const bytes = bytesAfter(before, patch);
    const isTooMany = keysAfter(before, patch) > MAX_CUSTOM_KEYS;
    if (isTooMany || bytes > MAX_CUSTOM_BYTES) {
      const bound = isTooMany ? `${MAX_CUSTOM_KEYS} keys` : `${MAX_CUSTOM_BYTES} bytes of JSON`;
      const issue = { path: "custom", message: `would have more than ${bound}` };
      this.#reply.bad(id, "too many custom fields, or too large ones", [issue]);
      return false;
    }
    const grows = bytes - (session?.customBytes ?? 0);
    // A session that does not grow may stay, but no new one comes while there is too much: others may end
    // the same sessions for one of their own.
    if (session !== undefined && grows <= 0) return true;
    if ((user?.customBytes ?? 0) + grows - freed <= MAX_USER_CUSTOM_BYTES) return true;
    const limit = `custom of all sessions of a user has at most ${MAX_USER_CUSTOM_BYTES} bytes of JSON`;
    this.#reply.error(id, "LIMIT_REACHED", limit);
    return false;
  }
}

export const SHORT_OF_MEMORY = "this node is short of memory, try again later";
