import { mayWatch, type Principal } from "../auth/principal.ts";
import { CLOCK_LEEWAY_S, type Verified, verifyToken } from "../auth/token.ts";
import {
  decodeMessage,
  type ErrorMessage,
  encodeMessage,
  encodeResultPage,
  encodeSnapshotPage,
  type Member,
  readMessageId,
  type ServerMessage,
} from "../protocol/codec.ts";
import { CLOSE, type CloseReason, type ErrorCode } from "../protocol/codes.ts";
import {
  type ClientMessage,
  MAX_CUSTOM_KEYS,
  type Message,
  type SessionFields,
} from "../protocol/messages.ts";
import { countKeys } from "../sessions/session.ts";
import { TokenBucket } from "../shared/token-bucket.ts";
import { CompiledFilter } from "../views/compiled-filter.ts";
import { Subscription, type Wording } from "./feed.ts";
import { Frame } from "./frame.ts";
import type { Hub, Peer } from "./hub.ts";
import {
  APP_TOKEN_FACTOR,
  BAD_MESSAGE_WINDOW_MS,
  CLOSE_TIMEOUT_MS,
  FLOOD_SECONDS,
  MAX_BAD_MESSAGES,
  MAX_BYTES_BEFORE_CONNECT,
  MAX_LONG_RESULTS,
  MAX_QUEUED_MESSAGES,
} from "./limits.ts";
import { Outbox } from "./outbox.ts";
import { cutPage } from "./pages.ts";
import type { Socket, SocketListener } from "./socket.ts";
import type { Refusal } from "./telemetry.ts";
import type { HeldSession, Holder, Tenant } from "./tenant.ts";
import { TokenWatch } from "./token-watch.ts";

/** WebSocket subscribers get diffs as they are, and snapshots with the id of their request. */
const WORDING: Wording = {
  snapshot: (page, requestId) => new Frame(encodeSnapshotPage(requestId, page.body)),
  diff: (frame) => frame,
};

type State = "new" | "verifying" | "connected" | "closing" | "closed";

/** One WebSocket: what it says is checked, done and answered here. */
export class Connection implements SocketListener, Holder, Peer {
  readonly outbox: Outbox;
  readonly #hub: Hub;
  readonly #tenant: Tenant;
  readonly #socket: Socket;
  readonly #release: () => void;
  readonly #sessions = new Set<HeldSession>();
  readonly #connectBy: number;
  #state: State = "new";
  #principal: Principal | undefined;
  #token: TokenWatch | undefined;
  #subscriptions: Map<string, Subscription<Holder>> | undefined;
  #rate: TokenBucket;
  #flood: TokenBucket | undefined;
  #badMessages: number[] | undefined;
  /** Messages that came while the token was being verified, in order. */
  #queue: ClientMessage[] | undefined;
  #lastHeard: number;
  #pinged = false;
  #closeAt = Number.POSITIVE_INFINITY;
  #refreshes = 0;

  constructor(hub: Hub, tenant: Tenant, socket: Socket, release: () => void) {
    const now = hub.clock.now();
    const { messagesPerSecond, maxBufferedBytes, connectTimeoutMs } = hub.limits;
    this.#hub = hub;
    this.#tenant = tenant;
    this.#socket = socket;
    this.#release = release;
    this.outbox = new Outbox(socket, maxBufferedBytes, () => hub.backlog(this));
    this.#rate = new TokenBucket(messagesPerSecond, 2 * messagesPerSecond, now);
    this.#lastHeard = now;
    this.#connectBy = now + connectTimeoutMs;
    tenant.sockets++;
    hub.add(this);
    this.#schedule();
  }

  onText(text: string, byteLength: number): void {
    if (this.#isOver) return;
    try {
      this.#receive(text, byteLength);
    } catch (error) {
      this.#crash(error);
    }
  }

  onBinary(): void {
    if (!this.#isOver) this.#close("binary", "binary");
  }

  onControl(): void {
    if (this.#isOver) return;
    const now = this.#heard();
    if (!this.#rate.take(now)) this.#overRate(now);
  }

  onDrain(): void {
    try {
      this.outbox.drained();
    } catch (error) {
      this.#crash(error);
    }
  }

  onClose(code: number): void {
    if (this.#state === "closed") return;
    const clean = !this.#isOver && (code === 1000 || code === 1005);
    this.#detach(clean);
    this.#state = "closed";
    this.#tenant.sockets--;
    this.#release();
    this.#hub.remove(this);
  }

  lose(session: HeldSession, cause: "replaced" | "kicked"): void {
    this.#sessions.delete(session);
    this.#send({ type: "closed", sessionId: session.sessionId, cause });
  }

  onDue(now: number): void {
    if (this.#state === "closing") {
      this.#socket.terminate();
      this.onClose(1006);
      return;
    }
    if (now >= this.#closeAt) this.#close("draining");
    else if (this.#state !== "connected" && now >= this.#connectBy) {
      this.#close("connectTimeout", "connect_timeout");
    } else this.#checkHeartbeat(now);
  }

  onExpiryDue(wallNow: number): void {
    if (this.#state !== "connected" || this.#token === undefined) return;
    if (this.#token.isOver(wallNow)) {
      this.#close("tokenExpired", "token_expired");
      return;
    }
    if (this.#token.shouldWarn(wallNow)) {
      this.#send({ type: "token_expiring", expiresInMs: this.#token.leftMs(wallNow) });
    }
    this.#hub.expiries.set(this, this.#token.next(wallNow));
  }

  onStall(): void {
    this.#close("slowReader");
    this.#socket.terminate();
    this.onClose(1006);
  }

  drain(delayMs: number): void {
    if (this.#isOver) return;
    if (this.#closeAt === Number.POSITIVE_INFINITY) this.#send({ type: "draining", reconnectInMs: delayMs });
    this.#closeAt = this.#hub.clock.now() + delayMs;
    this.#schedule();
  }

  get #isOver(): boolean {
    return this.#state === "closing" || this.#state === "closed";
  }

  // What comes in

  #receive(text: string, byteLength: number): void {
    const now = this.#heard();
    if (this.#state !== "connected" && byteLength > MAX_BYTES_BEFORE_CONNECT) {
      this.#close("tooLarge", "too_large");
      return;
    }
    if (!this.#rate.take(now)) {
      this.#hub.telemetry.refused("rate_limited");
      const retryAfterMs = this.#rate.waitMs(now);
      const message = "too many messages a second: this one was not done";
      this.#send({ type: "error", id: readMessageId(text), code: "RATE_LIMITED", message, retryAfterMs });
      this.#overRate(now);
      return;
    }
    const decoded = decodeMessage(text);
    if (decoded.kind === "not-json") this.#close("badMessages", "not_json");
    else if (decoded.kind === "bad") {
      this.#bad(decoded.id, "the message does not have the form that its type asks for", decoded.issues);
    } else {
      this.#hub.telemetry.messages[decoded.message.type]++;
      if (this.#state === "verifying") this.#enqueue(decoded.message);
      else this.#handle(decoded.message, now);
    }
  }

  #handle(message: ClientMessage, now: number): void {
    if (message.type === "connect") return this.#connect(message);
    const principal = this.#principal;
    if (principal === undefined) {
      this.#error(message.id, "UNAUTHENTICATED", "the first message must be connect");
      return this.#close("unauthenticated");
    }
    switch (message.type) {
      case "update":
        return this.#update(message, now);
      case "open":
        return this.#open(message, principal, now);
      case "close":
        return this.#closeSession(message, now);
      case "subscribe":
        return this.#subscribe(message, principal);
      case "unsubscribe":
        return this.#unsubscribe(message, now);
      case "query":
        return this.#query(message, principal, now);
      case "refresh":
        return this.#refresh(message, principal);
      case "ping":
        return this.#send({ type: "pong", id: message.id });
    }
  }

  // Tokens

  #connect(message: Message<"connect">): void {
    if (this.#state !== "new") return this.#bad(message.id, "this socket is connected already");
    this.#state = "verifying";
    this.#verify(message.token, (verified) => {
      if (!verified.ok) return this.#refuseToken(message.id, verified.reason);
      const { principal } = verified;
      const now = this.#hub.clock.now();
      this.#state = "connected";
      if (principal.kind === "app") {
        const rate = this.#hub.limits.messagesPerSecond * APP_TOKEN_FACTOR;
        this.#rate = new TokenBucket(rate, 2 * rate, now);
      }
      this.#adopt(principal);
      const { heartbeatIntervalMs: heartbeatMs, resumeWindowMs } = this.#hub.limits;
      const userId = principal.kind === "user" ? principal.userId : null;
      const { nodeId } = this.#hub;
      this.#send({ type: "connected", id: message.id, userId, nodeId, heartbeatMs, resumeWindowMs });
      const queue = this.#queue ?? [];
      this.#queue = undefined;
      for (const queued of queue) if (!this.#isOver) this.#handle(queued, now);
    });
  }

  #refresh(message: Message<"refresh">, before: Principal): void {
    const number = ++this.#refreshes;
    this.#verify(message.token, (verified) => {
      if (!verified.ok) return this.#refuseToken(message.id, verified.reason);
      const { principal } = verified;
      if (userOf(principal) !== userOf(before)) {
        return this.#refuseToken(message.id, "the token is for another user");
      }
      if (number === this.#refreshes) this.#adopt(principal);
      this.#ok(message.id);
    });
  }

  #verify(token: string, then: (verified: Verified) => void): void {
    verifyToken(this.#tenant.app, token, this.#hub.clock.wallNow())
      .then((verified) => {
        if (!this.#isOver) then(verified);
      })
      .catch((error) => this.#crash(error));
  }

  /** Acts for this principal from now on; subscriptions that it may not have end. */
  #adopt(principal: Principal): void {
    this.#principal = principal;
    const wallNow = this.#hub.clock.wallNow();
    this.#token =
      principal.exp === undefined ? undefined : new TokenWatch(principal.exp, wallNow, CLOCK_LEEWAY_S);
    if (this.#token === undefined) this.#hub.expiries.delete(this);
    else this.#hub.expiries.set(this, this.#token.next(wallNow));
    for (const subscription of [...(this.#subscriptions?.values() ?? [])]) {
      const { view } = subscription.feed;
      if (mayWatch(principal, view.filter)) continue;
      this.#endSubscription(subscription, this.#hub.clock.now());
      this.#refuse("forbidden");
      this.#send({
        type: "error",
        code: "FORBIDDEN",
        message: "the new token does not allow this subscription, it has ended",
        view: view.name,
      });
    }
  }

  #refuseToken(id: number | undefined, reason: string): void {
    this.#refuse("unauthenticated", reason);
    this.#send({ type: "error", id, code: "UNAUTHENTICATED", message: reason });
    this.#close("unauthenticated");
  }

  #enqueue(message: ClientMessage): void {
    this.#queue ??= [];
    if (this.#queue.length < MAX_QUEUED_MESSAGES) this.#queue.push(message);
    else
      this.#error(
        message.id,
        "RATE_LIMITED",
        "wait for connected before sending more: this message was not done",
      );
  }

  // Sessions

  #open(message: Message<"open">, principal: Principal, now: number): void {
    const { id, kind, sessionId, userId: askedUserId } = message;
    if (principal.kind === "user" && askedUserId !== undefined && askedUserId !== principal.userId) {
      return this.#error(id, "FORBIDDEN", "a user token opens sessions of its own user only");
    }
    const userId = principal.kind === "user" ? principal.userId : askedUserId;
    if (userId === undefined) {
      return this.#bad(id, "an app token has no user of its own", [
        { path: "userId", message: "is required" },
      ]);
    }
    const resumed = sessionId === undefined ? undefined : this.#tenant.resumable(sessionId, userId, kind);
    const { maxSessionsPerSocket } = this.#hub.limits;
    const limit = principal.kind === "app" ? maxSessionsPerSocket * APP_TOKEN_FACTOR : maxSessionsPerSocket;
    if (this.#sessions.size >= limit && (resumed === undefined || !this.#sessions.has(resumed))) {
      return this.#error(id, "LIMIT_REACHED", `a socket holds at most ${limit} sessions`);
    }
    if (this.#hasTooMuchCustom(resumed, message)) return this.#badCustom(id);
    if (resumed === undefined) {
      const session = this.#tenant.open(userId, kind, message, this, now);
      this.#sessions.add(session);
      this.#send({ type: "opened", id, sessionId: session.sessionId, resumed: false });
    } else {
      this.#tenant.takeOver(resumed, this);
      this.#sessions.add(resumed);
      this.#tenant.update(resumed, message, now);
      this.#send({ type: "opened", id, sessionId: resumed.sessionId, resumed: true });
    }
    this.#tenant.settle(now);
  }

  #update(message: Message<"update">, now: number): void {
    const session = this.#find(message);
    if (session === undefined) return;
    if (this.#hasTooMuchCustom(session, message)) return this.#badCustom(message.id);
    this.#tenant.update(session, message, now);
    this.#ok(message.id);
    this.#tenant.settle(now);
  }

  #closeSession(message: Message<"close">, now: number): void {
    const session = this.#find(message);
    if (session === undefined) return;
    const { id } = message;
    this.#sessions.delete(session);
    this.#tenant.end(session, "closed", now);
    if (id !== undefined) this.#send({ type: "closed", id, sessionId: session.sessionId, cause: "closed" });
    this.#tenant.settle(now);
  }

  /** The session that a message is about, or undefined when the client was told that there is none. */
  #find(message: Message<"update"> | Message<"close">): HeldSession | undefined {
    const { id, sessionId } = message;
    if (sessionId !== undefined) {
      const session = this.#tenant.table.get(sessionId);
      if (session?.holder === this) return session;
      this.#error(id, "NOT_FOUND", "this socket holds no session with that sessionId");
    } else if (this.#sessions.size === 1) {
      const [only] = this.#sessions;
      return only;
    } else if (this.#sessions.size === 0) {
      this.#error(id, "NOT_FOUND", "this socket holds no session, open one first");
    } else {
      this.#bad(id, "this socket holds several sessions", [{ path: "sessionId", message: "is required" }]);
    }
    return undefined;
  }

  #hasTooMuchCustom(session: HeldSession | undefined, patch: SessionFields): boolean {
    if (patch.custom === undefined || patch.custom === null) return false;
    return countKeys(this.#tenant.customAfter(session, patch)) > MAX_CUSTOM_KEYS;
  }

  #badCustom(id: number | undefined): void {
    const issue = { path: "custom", message: `would have more than ${MAX_CUSTOM_KEYS} keys` };
    this.#bad(id, "too many custom fields", [issue]);
  }

  // Subscriptions and queries

  #subscribe(message: Message<"subscribe">, principal: Principal): void {
    const { id, since } = message;
    const filter = this.#allowedFilter(message, principal);
    if (filter === undefined) return;
    this.#subscriptions ??= new Map();
    let subscription = [...this.#subscriptions.values()].find(
      (each) => each.feed.view.filter.key === filter.key,
    );
    if (subscription === undefined) {
      const { maxSubscriptionsPerSocket } = this.#hub.limits;
      if (this.#subscriptions.size >= maxSubscriptionsPerSocket) {
        return this.#error(
          id,
          "LIMIT_REACHED",
          `a socket has at most ${maxSubscriptionsPerSocket} subscriptions`,
        );
      }
      const feed = this.#tenant.feed(filter);
      subscription = new Subscription(feed, this.outbox, WORDING);
      feed.add(subscription);
      this.#subscriptions.set(feed.view.name, subscription);
      this.#tenant.subscriptions++;
    } else if (this.outbox.jobs > this.#hub.limits.maxSubscriptionsPerSocket) {
      return this.#error(
        id,
        "LIMIT_REACHED",
        "too many snapshots are under way to this socket, read them first",
      );
    }
    const missed = since && subscription.missedSince(since.view, since.version);
    if (since === undefined || missed === undefined) return subscription.requestSnapshot(id);
    this.#send({ type: "resumed", id, view: since.view, version: since.version });
    for (const diff of missed) subscription.deliver(new Frame(diff.text), diff.version);
  }

  #unsubscribe(message: Message<"unsubscribe">, now: number): void {
    const subscription = this.#subscriptions?.get(message.view);
    if (subscription === undefined) {
      return this.#error(message.id, "NOT_FOUND", "this socket has no subscription to that view");
    }
    this.#endSubscription(subscription, now);
    this.#ok(message.id);
  }

  #endSubscription(subscription: Subscription<Holder>, now: number): void {
    const { feed } = subscription;
    if (!this.#subscriptions?.delete(feed.view.name)) return;
    feed.remove(subscription);
    this.#tenant.subscriptions--;
    this.#tenant.dismiss(feed, now);
  }

  #query(message: Message<"query">, principal: Principal, now: number): void {
    const { id } = message;
    const filter = this.#allowedFilter(message, principal);
    if (filter === undefined) return;
    if (this.outbox.jobs >= MAX_LONG_RESULTS) {
      return this.#error(
        id,
        "LIMIT_REACHED",
        "too many long answers are under way to this socket, read them first",
      );
    }
    const members: Member[] = [];
    filter.forEachUser(this.#tenant.table, (user) => members.push(user.member(filter)));
    let from: number | undefined = 0;
    this.outbox.start({
      step: () => {
        const page = cutPage(members, from!);
        this.outbox.send(new Frame(encodeResultPage(id, page.text, page.next !== undefined)));
        from = page.next;
        return from === undefined;
      },
    });
    this.#hub.telemetry.observeQuery(this.#hub.clock.now() - now);
  }

  #allowedFilter(
    message: Message<"subscribe"> | Message<"query">,
    principal: Principal,
  ): CompiledFilter | undefined {
    const filter = new CompiledFilter(message.filter);
    if (mayWatch(principal, filter)) return filter;
    const asked = "ask for granted userIds, or for a granted selectedConversationId";
    this.#error(message.id, "FORBIDDEN", `the token does not allow this filter: ${asked}`);
    return undefined;
  }

  // What goes out

  #ok(id: number | undefined): void {
    if (id !== undefined) this.#send({ type: "ok", id });
  }

  #error(id: number | undefined, code: ErrorCode, message: string): void {
    this.#refuse(code.toLowerCase() as Lowercase<ErrorCode>);
    this.#send({ type: "error", id, code, message });
  }

  /** Answers a message that broke the contract; a socket that goes on sending such is ended. */
  #bad(id: number | undefined, message: string, issues?: ErrorMessage["issues"]): void {
    this.#refuse("bad_message");
    this.#send({ type: "error", id, code: "BAD_MESSAGE", message, issues });
    const now = this.#hub.clock.now();
    this.#badMessages = (this.#badMessages ?? []).filter((at) => at > now - BAD_MESSAGE_WINDOW_MS);
    this.#badMessages.push(now);
    if (this.#badMessages.length >= MAX_BAD_MESSAGES) this.#close("badMessages");
  }

  #send(message: ServerMessage): void {
    if (this.#isOver) return;
    if (!this.outbox.isFull) return this.outbox.send(new Frame(encodeMessage(message)));
    // Someone who asks and asks and does not read the answers.
    this.#hub.telemetry.cut++;
    this.#close("slowReader", "slow_reader");
  }

  #refuse(refusal: Refusal, detail?: string): void {
    this.#hub.telemetry.refused(refusal, detail);
  }

  // Life and death

  #heard(): number {
    this.#lastHeard = this.#hub.clock.now();
    this.#pinged = false;
    return this.#lastHeard;
  }

  #checkHeartbeat(now: number): void {
    const { heartbeatIntervalMs } = this.#hub.limits;
    const silence = now - this.#lastHeard;
    if (silence >= 1.5 * heartbeatIntervalMs) {
      this.#refuse("heartbeat");
      this.#detach(false);
      this.#socket.terminate();
      this.onClose(1006);
      return;
    }
    if (silence >= heartbeatIntervalMs && !this.#pinged) {
      this.#pinged = true;
      this.#socket.ping();
    }
    this.#schedule();
  }

  /** Sets the one deadline of this connection to whatever comes first. */
  #schedule(): void {
    const { heartbeatIntervalMs } = this.#hub.limits;
    const silenceUntil = this.#lastHeard + heartbeatIntervalMs * (this.#pinged ? 1.5 : 1);
    const connectBy = this.#state === "connected" ? Number.POSITIVE_INFINITY : this.#connectBy;
    this.#hub.schedule(this, Math.min(silenceUntil, connectBy, this.#closeAt));
  }

  /** Over the message rate: allowed for a while, but not without end. */
  #overRate(now: number): void {
    const { messagesPerSecond } = this.#hub.limits;
    const rate = this.#principal?.kind === "app" ? messagesPerSecond * APP_TOKEN_FACTOR : messagesPerSecond;
    this.#flood ??= new TokenBucket(rate, FLOOD_SECONDS * rate, now);
    if (!this.#flood.take(now)) this.#close("flooding", "flooding");
  }

  #close(reason: CloseReason, refusal?: Refusal): void {
    if (this.#isOver) return;
    if (refusal !== undefined) this.#refuse(refusal);
    this.#detach(false);
    this.#state = "closing";
    this.#hub.schedule(this, this.#hub.clock.now() + CLOSE_TIMEOUT_MS);
    this.#socket.close(CLOSE[reason].code, CLOSE[reason].reason);
  }

  /** Gives up sessions and subscriptions; `clean` says that the peer meant to end its sessions. */
  #detach(clean: boolean): void {
    if (this.#isOver) return;
    const now = this.#hub.clock.now();
    this.outbox.close();
    for (const subscription of [...(this.#subscriptions?.values() ?? [])])
      this.#endSubscription(subscription, now);
    for (const session of this.#sessions) {
      if (clean) this.#tenant.end(session, "closed", now);
      else this.#tenant.lose(session, now);
    }
    this.#sessions.clear();
    this.#queue = undefined;
    this.#hub.expiries.delete(this);
    if (clean) this.#tenant.settle(now);
  }

  #crash(error: unknown): void {
    this.#hub.telemetry.crashed(error);
    this.#refuse("handler_crash");
    this.#close("crashed");
  }
}

function userOf(principal: Principal): string | null {
  return principal.kind === "user" ? principal.userId : null;
}
