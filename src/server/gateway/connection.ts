import { decodeMessage, encodeMessage, readMessageId, type SingleMessage } from "../../protocol/codec.ts";
import { CLOSE, type CloseReason, type ErrorCode } from "../../protocol/codes.ts";
import type { ClientMessage, Message } from "../../protocol/messages.ts";
import type { Issue } from "../../protocol/wire.ts";
import type { Credentials } from "../auth/known-tokens.ts";
import { mayAskAbout, type Principal } from "../auth/principal.ts";
import type { Signer } from "../auth/signer.ts";
import { CLOCK_LEEWAY_S, type RefusedToken, verifyToken } from "../auth/token.ts";
import { actingUser } from "./acting-user.ts";
import type { Admitted } from "./admission.ts";
import type { AppPresence } from "./app-presence.ts";
import { Frame } from "./frame.ts";
import {
  APP_TOKEN_FACTOR,
  CLOSE_TIMEOUT_MS,
  MAX_BYTES_BEFORE_CONNECT,
  NEWCOMER_PER_SECOND,
} from "./gateway-config.ts";
import type { GatewayNode, ManagedConnection } from "./gateway-node.ts";
import { HeldMessages, KEY_WAIT_MS } from "./held-messages.ts";
import { KEEPS_NO_LAST_SEEN, lastSeenOf } from "./last-seen.ts";
import type { Newcomer } from "./newcomers.ts";
import { RateLimiter } from "./rate-limiter.ts";
import type { Reply } from "./reply.ts";
import { SendQueue } from "./send-queue.ts";
import type { Socket, SocketListener } from "./socket.ts";
import { SocketSessions } from "./socket-sessions.ts";
import { Subscriptions } from "./subscriptions.ts";
import type { Refusal } from "./telemetry.ts";
import { TokenExpiry } from "./token-expiry.ts";
import type { UserBudget } from "./user-budget.ts";

/** Close reasons that, before `connect`, only follow a whole message: no unfinished message is held then. */
const FOLLOWS_MESSAGE: ReadonlySet<CloseReason> = new Set([
  "unauthenticated",
  "tokenUnverifiable",
  "badMessages",
  "overload",
]);

/** A token is verified once more after the keys were fetched for it, or when that takes too long. */
type Attempt = "first" | "fetched" | "late";

const REVOKED: RefusedToken = { ok: false, reason: "the app does not accept this token any more" };

type State = "new" | "connected" | "closing" | "closed";

/**
 * One WebSocket, from its upgrade to its end: its token, its limits, its heartbeat, and the dispatch of its
 * messages.
 */
export class Connection implements SocketListener, ManagedConnection, Reply {
  readonly sendQueue: SendQueue;
  readonly #node: GatewayNode;
  readonly #presence: AppPresence;
  readonly #socket: Socket;
  readonly #admitted: Pick<Admitted, "release" | "admitMessage" | "checkBudget">;
  /** Counts the socket until it has connected, on a transport where that is limited. */
  readonly #newcomer: Newcomer | undefined;
  readonly #rateLimiter: RateLimiter;
  readonly #connectBy: number;
  readonly #sessions: SocketSessions;
  #subscriptions: Subscriptions | undefined;
  #state: State = "new";
  /** Whether a message arrived before `connect` succeeded. */
  #hasSentMessage = false;
  #principal: Principal | undefined;
  /** What the token was signed with; undefined before `connect`. */
  #signer: Signer | undefined;
  /** What waits for the keys that a token needs; undefined: nothing. */
  #held: HeldMessages | undefined;
  #token: TokenExpiry | undefined;
  /**
   * The budget of the user, shared by all of their sockets, or of this socket if it has an app token.
   * Undefined before `connect`.
   */
  #budget: UserBudget | undefined;
  /** When the gateway sent a ping to the silent client; undefined if no ping is unanswered. */
  #pingedAt: number | undefined;
  #closeAt = Number.POSITIVE_INFINITY;
  /** Whether the app, or what the token was signed with, is not accepted any more. */
  #isRevoked = false;

  /** `admitted` is released once the socket has gone. */
  constructor(
    node: GatewayNode,
    presence: AppPresence,
    socket: Socket,
    admitted: Pick<Admitted, "release" | "admitMessage" | "checkBudget">,
    newcomer?: Newcomer | undefined,
  ) {
    const now = node.clock.now();
    const { limits } = node;
    this.#node = node;
    this.#presence = presence;
    this.#socket = socket;
    this.#admitted = admitted;
    this.#newcomer = newcomer;
    const { pageTurns, pendingWrites } = node;
    this.sendQueue = new SendQueue(socket, limits.maxBufferedBytes, this, pageTurns, pendingWrites);
    this.#rateLimiter = new RateLimiter(Math.min(NEWCOMER_PER_SECOND, limits.messagesPerSecond), now);
    this.#sessions = new SocketSessions(presence, this, limits.maxSessionsPerSocket);
    this.#connectBy = now + limits.connectTimeoutMs;
    presence.sockets++;
    node.add(this);
    this.#schedule();
  }

  // Events of the transport

  onText(text: string, byteLength: number): void {
    if (this.#isOver) return;
    try {
      // The app may have been removed between the handshake and the first message.
      if (this.#isRevoked || this.#presence.isRetired) this.#refuseToken(undefined, REVOKED);
      else this.#receive(text, byteLength);
    } catch (error) {
      this.#crash(error);
    }
  }

  onBinary(): void {
    this.#close("binary", "binary");
  }

  onControl(): void {
    if (this.#isOver) return;
    const now = this.#node.clock.now();
    this.#pingedAt = undefined;
    const isAdmitted = this.#rateLimiter.admit(now) && (this.#budget?.admit(0, now) ?? true);
    if (!isAdmitted && this.#rateLimiter.isFlooding(now)) this.#close("flooding", "flooding");
  }

  onDrain(): void {
    try {
      this.sendQueue.drained();
    } catch (error) {
      this.#crash(error);
    }
  }

  onClose(code: number): void {
    if (this.#state === "closed") return;
    const wasOver = this.#isOver;
    this.#state = "closed";
    // A page that goes away for good sends a normal close. After any other end the client may come back.
    if (!wasOver) this.#detach(code === 1000 || code === 1005 || this.#presence.isRetired);
    this.#presence.sockets--;
    this.#admitted.release();
    this.#newcomer?.ended(this.#node.clock.now());
    this.#node.remove(this);
  }

  // Events of the send queue

  onBacklog(): void {
    this.sendQueue.markBacklogged();
    this.#node.backlog(this);
  }

  /** Also called by a subscription: this socket cannot be served any more. */
  onFailure(error: unknown): void {
    this.#crash(error);
  }

  // Events of the node

  onDue(now: number): void {
    if (this.#state === "closing") this.#drop();
    else if (this.#isRevoked) this.#refuseToken(undefined, REVOKED);
    else if (now >= this.#closeAt) this.#close("draining");
    else if (this.#held !== undefined && now >= this.#held.until) this.#resume("late");
    else if (this.#state !== "connected" && this.#held === undefined && now >= this.#connectBy) {
      this.#close("connectTimeout", "connect_timeout");
    } else this.#checkHeartbeat(now);
  }

  onExpiryDue(wallNow: number): void {
    const token = this.#token;
    if (this.#state !== "connected" || token === undefined) return;
    if (token.isOver(wallNow)) return this.#close("tokenExpired", "token_expired");
    if (token.shouldWarn(wallNow)) {
      this.send({ type: "token_expiring", expiresInMs: token.leftMs(wallNow) });
    }
    this.#node.expire(this, token.nextCheckAt(wallNow));
  }

  onAppsChanged(): void {
    const { app, isRetired } = this.#presence;
    if (this.#isOver || !(isRetired || (this.#signer !== undefined && !app.trusts(this.#signer)))) return;
    this.#isRevoked = true;
    // The node closes a limited number in each turn.
    this.#closeAt = this.#node.clock.now();
    this.#schedule();
  }

  onStall(): void {
    this.#close("slowReader");
    this.#drop();
  }

  drain(delayMs: number): void {
    if (this.#isOver) return;
    if (this.#closeAt === Number.POSITIVE_INFINITY) {
      this.send({ type: "draining", reconnectInMs: delayMs });
    }
    if (!this.#isRevoked) this.#closeAt = this.#node.clock.now() + delayMs;
    this.#schedule();
  }

  // Answers

  send(message: SingleMessage): void {
    if (this.#isOver) return;
    if (!this.sendQueue.isFull) return this.sendQueue.send(new Frame(encodeMessage(message)));
    // The client keeps sending requests without reading the answers.
    this.#node.telemetry.slowReadersDisconnected++;
    this.#close("slowReader", "slow_reader");
  }

  ok(id: number | undefined): void {
    if (id !== undefined) this.send({ type: "ok", id });
  }

  error(id: number | undefined, code: Exclude<ErrorCode, "BAD_MESSAGE">, message: string): void {
    this.#refuse(code.toLowerCase() as Lowercase<typeof code>);
    this.send({ type: "error", id, code, message });
  }

  badMessage(id: number | undefined, message: string, issues?: readonly Issue[]): void {
    this.#refuse("bad_message");
    this.send({ type: "error", id, code: "BAD_MESSAGE", message, issues });
    if (this.#rateLimiter.isTooBad(this.#node.clock.now())) this.#close("badMessages");
  }

  // Incoming messages

  #receive(text: string, byteLength: number): void {
    const now = this.#node.clock.now();
    this.#pingedAt = undefined;
    if (this.#state === "new") {
      if (byteLength > MAX_BYTES_BEFORE_CONNECT) return this.#close("tooLarge", "too_large");
      // The first message of each socket is limited by the rate of new connections.
      if (this.#hasSentMessage && !this.#admitted.admitMessage(byteLength, now)) {
        return this.#close("flooding", "flooding");
      }
      this.#hasSentMessage = true;
    }
    if (!this.#rateLimiter.admit(now)) {
      return this.#refuseOverRate(text, byteLength, now, this.#rateLimiter.retryAfterMs());
    }
    const budget = this.#budget;
    if (budget !== undefined && !budget.admit(byteLength, now)) {
      return this.#refuseOverRate(text, byteLength, now, budget.retryAfterMs(byteLength));
    }
    if (this.#held === undefined) this.#dispatch(text, byteLength, now);
    else this.#hold(this.#held, text, byteLength);
  }

  #dispatch(text: string, byteLength: number, now: number): void {
    const decoded = decodeMessage(text);
    if (decoded.kind === "not-json") return this.#close("badMessages", "not_json");
    if (decoded.kind === "bad") {
      const message = "the message does not have the form that its type asks for";
      return this.badMessage(decoded.id, message, decoded.issues);
    }
    this.#node.telemetry.messages[decoded.message.type]++;
    this.#handle(decoded.message, byteLength, now);
  }

  #handle(message: ClientMessage, byteLength: number, now: number): void {
    if (message.type === "connect") return this.#connect(message, byteLength, now);
    const principal = this.#principal;
    if (principal === undefined) {
      this.error(message.id, "UNAUTHENTICATED", "the first message must be connect");
      return this.#close("unauthenticated");
    }
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
        return this.#ensureSubscriptions().subscribe(message, principal);
      case "unsubscribe":
        return this.#ensureSubscriptions().unsubscribe(message, now);
      case "query":
        this.#ensureSubscriptions().query(message, principal);
        return this.#node.telemetry.observeQuery(this.#node.clock.now() - now);
      case "refresh":
        return this.#refresh(message, principal, byteLength, now);
      case "ping":
        return this.send({ type: "pong", id: message.id });
    }
  }

  #declare(message: Message<"status">, principal: Principal, now: number): void {
    const userId = actingUser(this, message, principal);
    if (userId === undefined) return;
    this.#presence.transact(now, ({ profiles }) => profiles.declare(userId, message));
    this.ok(message.id);
  }

  #lastSeen({ id, userIds }: Message<"last_seen">, principal: Principal, now: number): void {
    const data = lastSeenOf(this.#presence, userIds, now);
    if (data === undefined) this.error(id, "NOT_FOUND", KEEPS_NO_LAST_SEEN);
    else if (mayAskAbout(principal, userIds)) this.send({ type: "last_seen", id, data });
    else this.error(id, "FORBIDDEN", "the token does not allow this: ask for granted userIds");
  }

  /** Created on demand, as most sockets subscribe to nothing. */
  #ensureSubscriptions(): Subscriptions {
    this.#subscriptions ??= new Subscriptions(
      this.#presence,
      this.sendQueue,
      this,
      this,
      this.#node.limits.maxSubscriptionsPerSocket,
      this.#budget!,
    );
    return this.#subscriptions;
  }

  #refuseOverRate(text: string, byteLength: number, now: number, retryAfterMs: number): void {
    this.#refuseRate(readMessageId(text), retryAfterMs);
    const seconds = this.#budget?.secondsOf(byteLength);
    if (this.#rateLimiter.isFlooding(now, seconds)) this.#close("flooding", "flooding");
  }

  #refuseRate(id: number | undefined, retryAfterMs: number): void {
    this.#refuse("rate_limited");
    const message = "too many messages or bytes a second: this message was not done";
    this.send({ type: "error", id, code: "RATE_LIMITED", message, retryAfterMs });
  }

  // Tokens

  #connect(message: Message<"connect">, byteLength: number, now: number, attempt: Attempt = "first"): void {
    const { id } = message;
    if (this.#state !== "new") return this.badMessage(id, "this socket is connected already");
    const credentials = this.#verify(message, byteLength, now, attempt);
    if (credentials === undefined) return;
    const { principal } = credentials;
    const budget = this.#acquireBudget(id, principal, byteLength, now);
    if (budget === undefined) return;
    const { heartbeatIntervalMs: heartbeatMs, resumeWindowMs, messagesPerSecond } = this.#node.limits;
    this.#budget = budget;
    // The sockets of a user share turns for their long answers. A socket with an app token has turns of its
    // own.
    if (budget.userId !== undefined) this.sendQueue.party = budget;
    this.#state = "connected";
    this.#socket.authorized();
    this.#newcomer?.release();
    this.#rateLimiter.setRate(
      principal.kind === "app" ? messagesPerSecond * APP_TOKEN_FACTOR : messagesPerSecond,
    );
    this.#setCredentials(credentials);
    const { nodeId } = this.#node;
    const tableId = this.#node.tableIdOf(this.#presence.app.id);
    const userId = userOf(principal);
    this.send({ type: "connected", id, userId, nodeId, heartbeatMs, resumeWindowMs, tableId });
  }

  /**
   * The budget that this socket uses from now on; undefined if it has no room, and the client was told so.
   */
  #acquireBudget(
    id: number | undefined,
    principal: Principal,
    byteLength: number,
    now: number,
  ): UserBudget | undefined {
    const { budgets } = this.#presence;
    if (principal.kind === "app") return budgets.ofAppToken(now);
    const budget = budgets.acquire(principal.userId, now);
    if (!budget.admit(byteLength, now)) {
      this.#refuseRate(id, budget.retryAfterMs(byteLength));
      if (this.#rateLimiter.isFlooding(now)) this.#close("flooding", "flooding");
    } else if (budget.sockets > this.#node.limits.maxConnectionsPerIp) {
      this.error(id, "LIMIT_REACHED", "the user has all the sockets that a user may have");
      this.#close("overload");
    } else return budget;
    this.#presence.releaseBudget(budget, now);
    return undefined;
  }

  #refresh(
    message: Message<"refresh">,
    before: Principal,
    byteLength: number,
    now: number,
    attempt: Attempt = "first",
  ): void {
    const credentials = this.#verify(message, byteLength, now, attempt);
    if (credentials === undefined) return;
    const { principal } = credentials;
    if (userOf(principal) !== userOf(before)) {
      return this.#refuseToken(message.id, { ok: false, reason: "the token is for another user" });
    }
    this.#setCredentials(credentials);
    this.#subscriptions?.recheck(principal, now);
    this.ok(message.id);
  }

  /**
   * What the message's token proves; undefined if the token is not valid, and the socket was closed, or if
   * the keys for it are being fetched, and the message waits.
   */
  #verify(
    message: Message<"connect"> | Message<"refresh">,
    byteLength: number,
    now: number,
    attempt: Attempt,
  ): Credentials | undefined {
    const { app } = this.#presence;
    // Tokens that are signed with a secret have no need of it.
    const budget = app.publicKeys === undefined ? undefined : this.#admitted.checkBudget(now);
    const options = budget && { budget, hasAwaited: attempt === "fetched" };
    const verified = verifyToken(app, message.token, this.#node.clock.wallNow(), options);
    if (verified.ok) return verified;
    const { awaits } = verified;
    if (attempt === "first" && awaits?.request()) {
      const stop = awaits.onceFetched(() => this.#resume("fetched"));
      this.#held = new HeldMessages(message, byteLength, now + KEY_WAIT_MS, stop);
      this.#schedule();
    } else this.#refuseToken(message.id, verified);
    return undefined;
  }

  #hold(held: HeldMessages, text: string, byteLength: number): void {
    if (held.add(text, byteLength, this.#node.limits.maxBufferedBytes)) return;
    this.error(held.message.id, "LIMIT_REACHED", "too many bytes while the token cannot be verified");
    this.#close("tokenUnverifiable");
  }

  /** Verifies the token again, and does what was sent since. */
  #resume(attempt: Exclude<Attempt, "first">): void {
    const held = this.#held;
    if (held === undefined || this.#isOver || this.#isRevoked) return;
    this.#held = undefined;
    held.stop();
    try {
      const now = this.#node.clock.now();
      const { message, byteLength, texts } = held;
      if (message.type === "connect") this.#connect(message, byteLength, now, attempt);
      else this.#refresh(message, this.#principal!, byteLength, now, attempt);
      for (const { text, byteLength } of texts) {
        if (this.#isOver) return;
        if (this.#held === undefined) this.#dispatch(text, byteLength, now);
        else this.#hold(this.#held, text, byteLength);
      }
      if (!this.#isOver) this.#schedule();
    } catch (error) {
      this.#crash(error);
    }
  }

  #refuseToken(id: number | undefined, { reason, retryAfterMs, isTemporary }: RefusedToken): void {
    this.#refuse("unauthenticated", reason);
    this.send({ type: "error", id, code: "UNAUTHENTICATED", message: reason, retryAfterMs });
    this.#close(isTemporary ? "tokenUnverifiable" : "unauthenticated");
  }

  /** Sets the principal and follows the expiry of its token. */
  #setCredentials({ principal, signer }: Credentials): void {
    this.#principal = principal;
    this.#signer = signer;
    const wallNow = this.#node.clock.wallNow();
    this.#token =
      principal.exp === undefined ? undefined : new TokenExpiry(principal.exp, wallNow, CLOCK_LEEWAY_S);
    this.#node.expire(this, this.#token?.nextCheckAt(wallNow));
  }

  // Heartbeat and closing

  get #isOver(): boolean {
    return this.#state === "closing" || this.#state === "closed";
  }

  #checkHeartbeat(now: number): void {
    const { heartbeatIntervalMs } = this.#node.limits;
    // A connection is dead only if it left a ping unanswered. Silence alone may mean that this process was
    // paused.
    if (this.#pingedAt !== undefined && now >= this.#pingedAt + heartbeatIntervalMs / 2) {
      this.#refuse("heartbeat");
      return this.#drop();
    }
    if (this.#pingedAt === undefined && now >= this.#rateLimiter.lastHeard + heartbeatIntervalMs) {
      this.#pingedAt = now;
      this.#socket.ping();
    }
    this.#schedule();
  }

  /** Sets the single deadline of this connection to its next event. */
  #schedule(): void {
    const { heartbeatIntervalMs } = this.#node.limits;
    const silentUntil =
      this.#pingedAt === undefined
        ? this.#rateLimiter.lastHeard + heartbeatIntervalMs
        : this.#pingedAt + heartbeatIntervalMs / 2;
    // A client that has sent `connect` is not late.
    const hasConnected = this.#state === "connected" || this.#held !== undefined;
    const connectBy = hasConnected ? Number.POSITIVE_INFINITY : this.#connectBy;
    const heldUntil = this.#held?.until ?? Number.POSITIVE_INFINITY;
    this.#node.schedule(this, Math.min(silentUntil, connectBy, heldUntil, this.#closeAt));
  }

  /** Ends the connection with a close frame. A client that does not answer it is dropped later. */
  #close(reason: CloseReason, refusal?: Refusal): void {
    if (this.#isOver) return;
    if (refusal !== undefined) this.#refuse(refusal);
    this.#state = "closing";
    if (FOLLOWS_MESSAGE.has(reason)) this.#newcomer?.release();
    this.#detach(this.#presence.isRetired);
    this.#node.schedule(this, this.#node.clock.now() + CLOSE_TIMEOUT_MS);
    this.#socket.close(CLOSE[reason].code, CLOSE[reason].reason);
  }

  /** Ends the connection without a close frame. */
  #drop(): void {
    this.#socket.terminate();
    this.onClose(1006);
  }

  /** Releases sessions and subscriptions. `clean`: the client meant to end its sessions. */
  #detach(clean: boolean): void {
    const now = this.#node.clock.now();
    this.#held?.stop();
    this.#held = undefined;
    this.sendQueue.close();
    this.#subscriptions?.endAll(now);
    this.#sessions.release(clean, now);
    if (this.#budget !== undefined) this.#presence.releaseBudget(this.#budget, now);
    this.#node.expire(this, undefined);
  }

  #refuse(refusal: Refusal, detail?: string): void {
    this.#node.telemetry.refused(refusal, detail);
  }

  #crash(error: unknown): void {
    this.#node.telemetry.crashed(error);
    this.#close("crashed", "handler_crash");
  }
}

function userOf(principal: Principal): string | null {
  return principal.kind === "user" ? principal.userId : null;
}
