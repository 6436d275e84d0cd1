import { decodeMessage, encodeMessage, readMessageId, type SingleMessage } from "../../protocol/codec.ts";
import { CLOSE, type CloseReason, type ErrorCode } from "../../protocol/codes.ts";
import type { ClientMessage, Message } from "../../protocol/messages.ts";
import type { Issue } from "../../protocol/wire.ts";
import type { Credentials } from "../auth/known-tokens.ts";
import type { Principal } from "../auth/principal.ts";
import type { RefusedToken } from "../auth/token.ts";
import type { Admitted } from "./admission.ts";
import type { AppPresence } from "./app-presence.ts";
import { Frame } from "./frame.ts";
import { CLOSE_TIMEOUT_MS } from "./gateway-config.ts";
import type { GatewayNode, ManagedConnection } from "./gateway-node.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { HeldMessages } from "./held-messages.ts";
import { IncomingLimits, type OverRate } from "./incoming-limits.ts";
import { MessageDispatcher } from "./message-dispatcher.ts";
import type { Newcomer } from "./newcomers.ts";
import type { Reply } from "./reply.ts";
import { SendQueue } from "./send-queue.ts";
import type { Socket, SocketListener } from "./socket.ts";
import { type Attempt, type KeyWaiter, SocketToken } from "./socket-token.ts";
import type { Refusal } from "./telemetry.ts";

/** Close reasons that, before `connect`, only follow a whole message: no unfinished message is held then. */
const FOLLOWS_MESSAGE: ReadonlySet<CloseReason> = new Set([
  "unauthenticated",
  "tokenUnverifiable",
  "badMessages",
  "overload",
]);

const REVOKED: RefusedToken = { ok: false, reason: "the app does not accept this token any more" };

type State = "new" | "connected" | "closing" | "closed";

/**
 * One WebSocket, from its upgrade to its end: which state it is in, which deadline is next, and why it ends.
 * The parts know the rest: limits, heartbeat, token, and what messages do.
 */
export class Connection implements SocketListener, ManagedConnection, Reply, KeyWaiter {
  readonly sendQueue: SendQueue;
  readonly #node: GatewayNode;
  readonly #presence: AppPresence;
  readonly #socket: Socket;
  readonly #admitted: Pick<Admitted, "release">;
  /** Counts the socket until it has connected, on a transport where that is limited. */
  readonly #newcomer: Newcomer | undefined;
  readonly #limits: IncomingLimits;
  readonly #heartbeat: Heartbeat;
  readonly #token: SocketToken;
  readonly #dispatcher: MessageDispatcher;
  /** In whole milliseconds, as V8 stores other numbers outside the object. */
  readonly #connectBy: number;
  #state: State = "new";
  /** Undefined: the node does not close it. */
  #closeAt: number | undefined;
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
    this.#limits = new IncomingLimits(presence, limits, admitted, now);
    this.#heartbeat = new Heartbeat(limits.heartbeatIntervalMs);
    this.#token = new SocketToken(presence, admitted, this);
    this.#dispatcher = new MessageDispatcher(node, presence, this);
    this.#connectBy = Math.ceil(now + limits.connectTimeoutMs);
    presence.sockets++;
    node.add(this);
    this.#schedule();
  }

  // Events of the transport

  onText(text: string, byteLength: number): void {
    if (this.#isOver) return;
    if (this.#socket.flushesAfterText) this.sendQueue.expectWrite();
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
    this.#heartbeat.heard();
    if (this.#limits.isFloodedByControl(this.#node.clock.now())) this.#close("flooding", "flooding");
  }

  onFlush(): void {
    try {
      this.sendQueue.write();
    } catch (error) {
      this.#crash(error);
    }
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
    try {
      // A page that goes away for good sends a normal close. After any other end the client may come back.
      if (!wasOver) this.#detach(code === 1000 || code === 1005 || this.#presence.isRetired);
    } finally {
      this.#presence.sockets--;
      this.#admitted.release();
      this.#newcomer?.ended(this.#node.clock.now());
      this.#node.remove(this);
    }
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
    else if (now >= this.#closesAt) this.#close("draining");
    else if (now >= this.#heldUntil) this.#resume("late");
    else if (now >= this.#connectsUntil) this.#close("connectTimeout", "connect_timeout");
    else this.#checkHeartbeat(now);
  }

  onExpiryDue(wallNow: number): void {
    const { expiry } = this.#token;
    if (this.#state !== "connected" || expiry === undefined) return;
    if (expiry.isOver(wallNow)) return this.#close("tokenExpired", "token_expired");
    if (expiry.shouldWarn(wallNow)) {
      this.send({ type: "token_expiring", expiresInMs: expiry.leftMs(wallNow) });
    }
    this.#node.expire(this, expiry.nextCheckAt(wallNow));
  }

  onAppsChanged(): void {
    if (this.#isOver || this.#token.isTrusted) return;
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
    if (this.#closeAt === undefined) {
      this.send({ type: "draining", reconnectInMs: delayMs });
    }
    if (!this.#isRevoked) this.#closeAt = this.#node.clock.now() + delayMs;
    this.#schedule();
  }

  // Events of the token

  onKeysFetched(): void {
    this.#resume("fetched");
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

  badMessage(id: number | undefined, message: string, issues: readonly Issue[]): void {
    this.#refuse("bad_message");
    this.send({ type: "error", id, code: "BAD_MESSAGE", message, issues });
    if (this.#limits.isTooBad(this.#node.clock.now())) this.#close("badMessages");
  }

  // Incoming messages

  #receive(text: string, byteLength: number): void {
    const now = this.#node.clock.now();
    this.#heartbeat.heard();
    if (this.#state === "new") {
      const refusal = this.#limits.refuseNewcomer(byteLength, now);
      if (refusal === "tooLarge") return this.#close("tooLarge", "too_large");
      if (refusal === "flooding") return this.#close("flooding", "flooding");
    }
    const overRate = this.#limits.refuse(byteLength, now);
    if (overRate !== undefined) return this.#refuseRate(readMessageId(text), overRate);
    this.#dispatchOrHold(text, byteLength, now);
  }

  #dispatchOrHold(text: string, byteLength: number, now: number): void {
    const { held } = this.#token;
    if (held === undefined) this.#dispatch(text, byteLength, now);
    else this.#hold(held, text, byteLength);
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
    if (message.type === "connect") return this.#connect(message, byteLength, "first", now);
    const { principal } = this.#token;
    if (principal === undefined) {
      this.error(message.id, "UNAUTHENTICATED", "the first message must be connect");
      return this.#close("unauthenticated");
    }
    if (message.type === "refresh") this.#refresh(message, principal, byteLength, "first", now);
    else this.#dispatcher.dispatch(message, principal, this.#limits.budget!, now);
  }

  #refuseRate(id: number | undefined, { retryAfterMs, isFlooding }: OverRate): void {
    this.#refuse("rate_limited");
    const message = "too many messages or bytes a second: this message was not done";
    this.send({ type: "error", id, code: "RATE_LIMITED", message, retryAfterMs });
    if (isFlooding) this.#close("flooding", "flooding");
  }

  // Tokens

  #connect(message: Message<"connect">, byteLength: number, attempt: Attempt, now: number): void {
    const { id } = message;
    if (this.#state !== "new") {
      const issue = { path: "type", message: "connect is the first message, and comes once" };
      return this.badMessage(id, "this socket is connected already", [issue]);
    }
    const credentials = this.#verify(message, byteLength, attempt, now);
    if (credentials === undefined) return;
    const { principal } = credentials;
    if (!this.#acquireBudget(id, principal, byteLength, now)) return;
    this.#state = "connected";
    this.#socket.authorized();
    this.#newcomer?.release();
    this.#accept(credentials);
    const { nodeId } = this.#node;
    const { heartbeatIntervalMs: heartbeatMs, resumeWindowMs } = this.#node.limits;
    const tableId = this.#node.tableIdOf(this.#presence.app.id);
    const userId = userOf(principal);
    this.send({ type: "connected", id, userId, nodeId, heartbeatMs, resumeWindowMs, tableId });
  }

  /** False: the user has no room for this socket, and the client was told so. */
  #acquireBudget(id: number | undefined, principal: Principal, byteLength: number, now: number): boolean {
    const refused = this.#limits.acquireBudget(principal, byteLength, now);
    if (refused === "sockets") {
      this.error(id, "LIMIT_REACHED", "the user has all the sockets that a user may have");
      this.#close("overload");
    } else if (refused !== undefined) this.#refuseRate(id, refused);
    if (refused !== undefined) return false;
    // The sockets of a user share turns for their long answers. A socket with an app token has turns of its
    // own.
    const { budget } = this.#limits;
    if (budget?.userId !== undefined) this.sendQueue.party = budget;
    return true;
  }

  #refresh(
    message: Message<"refresh">,
    before: Principal,
    byteLength: number,
    attempt: Attempt,
    now: number,
  ): void {
    const credentials = this.#verify(message, byteLength, attempt, now);
    if (credentials === undefined) return;
    const { principal } = credentials;
    if (userOf(principal) !== userOf(before)) {
      return this.#refuseToken(message.id, { ok: false, reason: "the token is for another user" });
    }
    this.#accept(credentials);
    this.#dispatcher.recheck(principal, now);
    this.ok(message.id);
  }

  /**
   * What the message's token proves; undefined if the token is not valid, and the socket was closed, or if
   * the keys for it are being fetched, and the message waits.
   */
  #verify(
    message: Message<"connect"> | Message<"refresh">,
    byteLength: number,
    attempt: Attempt,
    now: number,
  ): Credentials | undefined {
    const verified = this.#token.verify(message, byteLength, attempt, now, this.#node.clock.wallNow());
    if (verified === undefined) this.#schedule();
    else if (verified.ok) return verified;
    else this.#refuseToken(message.id, verified);
    return undefined;
  }

  #hold(held: HeldMessages, text: string, byteLength: number): void {
    if (held.add(text, byteLength, this.#node.limits.maxBufferedBytes)) return;
    this.error(held.message.id, "LIMIT_REACHED", "too many bytes while the token cannot be verified");
    this.#close("tokenUnverifiable");
  }

  /** Verifies the token again, and does what was sent since. */
  #resume(attempt: Exclude<Attempt, "first">): void {
    if (this.#isOver || this.#isRevoked) return;
    const held = this.#token.takeHeld();
    if (held === undefined) return;
    try {
      const now = this.#node.clock.now();
      const { message, byteLength, texts } = held;
      if (message.type === "connect") this.#connect(message, byteLength, attempt, now);
      else this.#refresh(message, this.#token.principal!, byteLength, attempt, now);
      for (const { text, byteLength } of texts) {
        if (this.#isOver) return;
        this.#dispatchOrHold(text, byteLength, now);
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
  #accept(credentials: Credentials): void {
    const wallNow = this.#node.clock.wallNow();
    this.#token.accept(credentials, wallNow);
    this.#node.expire(this, this.#token.expiry?.nextCheckAt(wallNow));
  }

  // Heartbeat and closing

  get #isOver(): boolean {
    return this.#state === "closing" || this.#state === "closed";
  }

  /** When the node closes the connection. */
  get #closesAt(): number {
    return this.#closeAt ?? Number.POSITIVE_INFINITY;
  }

  /** When a client that has not sent `connect` is closed. */
  get #connectsUntil(): number {
    const isWaitedFor = this.#state === "new" && this.#token.held === undefined;
    return isWaitedFor ? this.#connectBy : Number.POSITIVE_INFINITY;
  }

  /** When a token that waits for keys is verified without them. */
  get #heldUntil(): number {
    return this.#token.held?.until ?? Number.POSITIVE_INFINITY;
  }

  #checkHeartbeat(now: number): void {
    const pulse = this.#heartbeat.check(this.#limits.lastHeard, now);
    if (pulse === "dead") {
      this.#refuse("heartbeat");
      return this.#drop();
    }
    if (pulse === "ping") this.#socket.ping();
    this.#schedule();
  }

  /** Sets the single deadline of this connection to its next event. */
  #schedule(): void {
    const silentUntil = this.#heartbeat.nextCheckAt(this.#limits.lastHeard);
    const due = Math.min(silentUntil, this.#connectsUntil, this.#heldUntil, this.#closesAt);
    this.#node.schedule(this, due);
  }

  /** Ends the connection with a close frame. A client that does not answer it is dropped later. */
  #close(reason: CloseReason, refusal?: Refusal): void {
    if (this.#isOver) return;
    if (refusal !== undefined) this.#refuse(refusal);
    this.#state = "closing";
    if (FOLLOWS_MESSAGE.has(reason)) this.#newcomer?.release();
    // First, since what waits is sent now: that may fail, or end the socket.
    this.#node.schedule(this, this.#node.clock.now() + CLOSE_TIMEOUT_MS);
    try {
      this.#detach(this.#presence.isRetired);
    } finally {
      this.#socket.close(CLOSE[reason].code, CLOSE[reason].reason);
    }
  }

  /** Ends the connection without a close frame. */
  #drop(): void {
    this.#socket.terminate();
    this.onClose(1006);
  }

  /** Releases sessions and subscriptions. `clean`: the client meant to end its sessions. */
  #detach(clean: boolean): void {
    const now = this.#node.clock.now();
    this.#token.takeHeld();
    this.#node.expire(this, undefined);
    this.sendQueue.close();
    try {
      this.#dispatcher.release(clean, now);
    } finally {
      this.#limits.release(now);
    }
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
