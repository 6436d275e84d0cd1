import type { CompiledFilter } from "../../core/views/compiled-filter.ts";
import type { Credentials } from "../auth/known-tokens.ts";
import type { Signer } from "../auth/signer.ts";
import { CLOCK_LEEWAY_S } from "../auth/token.ts";
import type { Admitted } from "./admission.ts";
import type { AppPresence } from "./app-presence.ts";
import type { BodyListener, BodySink } from "./body-sink.ts";
import { Frame } from "./frame.ts";
import type { GatewayNode, ManagedConnection } from "./gateway-node.ts";
import { SendQueue } from "./send-queue.ts";
import type { MessageEncoder, Subscription } from "./subscription.ts";
import { TokenExpiry } from "./token-expiry.ts";

/** How often a comment line is sent, so that proxies and readers see a living stream. */
export const COMMENT_MS = 15_000;
const COMMENT = new Frame(": still here\n\n");
const RESUMED = new Frame(": resumed\n\n");

/** A position in a view as `id:` and `Last-Event-ID` carry it. */
export interface StreamPosition {
  readonly view: string;
  readonly version: number;
}

/** Parses `<view>:<version>`. Undefined for anything else: the stream then starts with a snapshot. */
export function parsePosition(lastEventId: string | undefined): StreamPosition | undefined {
  const match = /^([\w-]{1,64}):(\d{1,15})$/.exec(lastEventId ?? "");
  return match === null ? undefined : { view: match[1]!, version: Number(match[2]) };
}

/**
 * Server-sent events carry the messages of a subscription. The event id is the position, set once the state
 * is complete.
 */
const ENCODER: MessageEncoder = {
  snapshot: ({ view, version, body, more, isCount }, requestId) => {
    const id = more ? "" : `id: ${view}:${version}\n`;
    if (isCount) return new Frame(`event: count\n${id}data: {"type":"count",${body}\n\n`);
    const reason = requestId === undefined ? '"reason":"lagged",' : "";
    return new Frame(`event: snapshot\n${id}data: {"type":"snapshot",${reason}${body}\n\n`);
  },
  diff: (frame, { name, filter }, version) =>
    frame.asEvent(filter.isCount ? "count" : "diff", `${name}:${version}`),
};

/** One subscription, streamed over HTTP. */
export class EventStream implements ManagedConnection, BodyListener {
  readonly sendQueue: SendQueue;
  readonly #node: GatewayNode;
  readonly #presence: AppPresence;
  readonly #sink: BodySink;
  readonly #admitted: Pick<Admitted, "release">;
  readonly #signer: Signer;
  readonly #subscription: Subscription;
  readonly #token: TokenExpiry | undefined;
  #commentAt: number;
  #endAt = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(
    node: GatewayNode,
    presence: AppPresence,
    { principal, signer }: Credentials,
    filter: CompiledFilter,
    since: StreamPosition | undefined,
    sink: BodySink,
    admitted: Pick<Admitted, "release">,
  ) {
    this.#node = node;
    this.#presence = presence;
    this.#sink = sink;
    this.#admitted = admitted;
    this.#signer = signer;
    const { pageTurns, pendingWrites } = node;
    this.sendQueue = new SendQueue(sink, node.limits.maxBufferedBytes, this, pageTurns, pendingWrites);
    this.#subscription = this.#attach(filter);
    node.add(this);
    const wallNow = node.clock.wallNow();
    this.#token =
      principal.exp === undefined ? undefined : new TokenExpiry(principal.exp, wallNow, CLOCK_LEEWAY_S);
    node.expire(this, this.#token?.nextCheckAt(wallNow));
    this.#commentAt = node.clock.now() + COMMENT_MS;
    node.schedule(this, this.#commentAt);
    try {
      this.#start(since);
    } catch (error) {
      this.onFailure(error);
    }
  }

  onBacklog(): void {
    this.#node.backlog(this);
  }

  /** Also called by the subscription: this reader cannot be served any more. */
  onFailure(error: unknown): void {
    this.#node.telemetry.crashed(error);
    this.onStall();
  }

  onDrain(): void {
    try {
      this.sendQueue.drained();
    } catch (error) {
      this.onFailure(error);
    }
  }

  onClose(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.sendQueue.close();
    try {
      this.#presence.liveViews.detach(this.#subscription, this.#node.clock.now());
    } finally {
      this.#admitted.release();
      this.#node.remove(this);
    }
  }

  onDue(now: number): void {
    if (now >= this.#endAt) return this.#end();
    if (now >= this.#commentAt) {
      if (this.#sink.buffered === 0) this.sendQueue.send(COMMENT);
      this.#commentAt = now + COMMENT_MS;
    }
    this.#node.schedule(this, Math.min(this.#commentAt, this.#endAt));
  }

  onExpiryDue(wallNow: number): void {
    if (this.#token === undefined) return;
    if (this.#token.isOver(wallNow)) {
      this.#node.telemetry.refused("token_expired");
      this.#end();
    } else {
      this.#token.shouldWarn(wallNow);
      this.#node.expire(this, this.#token.nextCheckAt(wallNow));
    }
  }

  onAppsChanged(): void {
    const { app, isRetired } = this.#presence;
    if (this.#closed || (!isRetired && app.trusts(this.#signer))) return;
    this.#node.telemetry.refused("unauthenticated", "the app does not accept this any more");
    this.#endAt = this.#node.clock.now();
    this.#node.schedule(this, this.#endAt);
  }

  onStall(): void {
    this.#sink.terminate();
    this.onClose();
  }

  drain(delayMs: number): void {
    if (this.#endAt === Number.POSITIVE_INFINITY) this.sendQueue.offer(new Frame(`retry: ${delayMs}\n\n`));
    this.#endAt = Math.min(this.#endAt, this.#node.clock.now() + delayMs);
    this.#node.schedule(this, this.#endAt);
  }

  /** @throws What creating the view throws. The place of the connection was given back then. */
  #attach(filter: CompiledFilter): Subscription {
    try {
      // There is always room: a stream has an app token, which is charged nothing.
      return this.#presence.liveViews.attach(filter, {
        sendQueue: this.sendQueue,
        encoder: ENCODER,
        owner: this,
      })!;
    } catch (error) {
      this.#admitted.release();
      throw error;
    }
  }

  #start(since: StreamPosition | undefined): void {
    const { isCount } = this.#subscription.channel.view.filter;
    const missed = isCount ? undefined : since && this.#subscription.missedSince(since.view, since.version);
    if (missed === undefined) return this.#subscription.requestSnapshot(0);
    this.sendQueue.send(RESUMED);
    this.#subscription.deliverMissed(missed);
  }

  #end(): void {
    this.sendQueue.close();
    this.#sink.end();
    this.onClose();
  }
}
