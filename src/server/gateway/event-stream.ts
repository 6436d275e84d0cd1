import type { CompiledFilter } from "../../core/views/compiled-filter.ts";
import type { Principal } from "../auth/principal.ts";
import { CLOCK_LEEWAY_S } from "../auth/token.ts";
import type { Admitted } from "./admission.ts";
import type { BodyListener, BodySink } from "./body-sink.ts";
import type { Feed } from "./feed.ts";
import { Frame } from "./frame.ts";
import type { Hub, Peer } from "./hub.ts";
import { Outbox } from "./outbox.ts";
import { Subscription, type Wording } from "./subscription.ts";
import type { Holder, Tenant } from "./tenant.ts";
import { TokenWatch } from "./token-watch.ts";

/** A comment line goes out this often, so that proxies and readers see a living stream. */
export const COMMENT_MS = 15_000;
const COMMENT = new Frame(": still here\n\n");
const RESUMED = new Frame(": resumed\n\n");

/** A position in a view as `id:` and `Last-Event-ID` carry it. */
export interface StreamPosition {
  readonly view: string;
  readonly version: number;
}

/** Reads `<view>:<version>`; anything else is no position, and gets a snapshot. */
export function parsePosition(lastEventId: string | undefined): StreamPosition | undefined {
  const match = /^([\w-]{1,64}):(\d{1,15})$/.exec(lastEventId ?? "");
  return match === null ? undefined : { view: match[1]!, version: Number(match[2]) };
}

/** Server-sent events carry the messages of a subscription; their id is the position, once the state is whole. */
function wording(viewName: string): Wording {
  return {
    snapshot: ({ view, version, body, more }, requestId) => {
      const id = more ? "" : `id: ${view}:${version}\n`;
      const reason = requestId === undefined ? '"reason":"lagged",' : "";
      return new Frame(`event: snapshot\n${id}data: {"type":"snapshot",${reason}${body}\n\n`);
    },
    diff: (frame, version) => frame.asEvent("diff", `${viewName}:${version}`),
  };
}

/** One subscription, streamed over HTTP. */
export class EventStream implements Peer, BodyListener {
  readonly outbox: Outbox;
  readonly #hub: Hub;
  readonly #tenant: Tenant;
  readonly #sink: BodySink;
  readonly #admitted: Pick<Admitted, "release">;
  readonly #subscription: Subscription<Holder>;
  readonly #token: TokenWatch | undefined;
  #commentAt: number;
  #endAt = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(
    hub: Hub,
    tenant: Tenant,
    principal: Principal,
    filter: CompiledFilter,
    since: StreamPosition | undefined,
    sink: BodySink,
    admitted: Pick<Admitted, "release">,
  ) {
    this.#hub = hub;
    this.#tenant = tenant;
    this.#sink = sink;
    this.#admitted = admitted;
    this.outbox = new Outbox(sink, hub.limits.maxBufferedBytes, this, hub.pageTurns);
    const feed = this.#feedOf(filter);
    this.#subscription = new Subscription(feed, this.outbox, wording(feed.view.name), this);
    tenant.join(feed, this.#subscription);
    hub.add(this);
    const wallNow = hub.clock.wallNow();
    this.#token =
      principal.exp === undefined ? undefined : new TokenWatch(principal.exp, wallNow, CLOCK_LEEWAY_S);
    hub.expire(this, this.#token?.next(wallNow));
    this.#commentAt = hub.clock.now() + COMMENT_MS;
    hub.schedule(this, this.#commentAt);
    this.#start(since);
  }

  onBacklog(): void {
    this.#hub.backlog(this);
  }

  /** Also what the subscription tells: this reader cannot be served any more. */
  onFailure(error: unknown): void {
    this.#hub.telemetry.crashed(error);
    this.onStall();
  }

  onDrain(): void {
    try {
      this.outbox.drained();
    } catch (error) {
      this.onFailure(error);
    }
  }

  onClose(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.outbox.close();
    const { feed } = this.#subscription;
    feed.remove(this.#subscription);
    this.#tenant.subscriptions--;
    this.#tenant.dismiss(feed, this.#hub.clock.now());
    this.#admitted.release();
    this.#hub.remove(this);
  }

  onDue(now: number): void {
    if (now >= this.#endAt) return this.#end();
    if (now >= this.#commentAt) {
      if (this.#sink.buffered === 0) this.outbox.send(COMMENT);
      this.#commentAt = now + COMMENT_MS;
    }
    this.#hub.schedule(this, Math.min(this.#commentAt, this.#endAt));
  }

  onExpiryDue(wallNow: number): void {
    if (this.#token === undefined) return;
    if (this.#token.isOver(wallNow)) {
      this.#hub.telemetry.refused("token_expired");
      this.#end();
    } else {
      this.#token.shouldWarn(wallNow);
      this.#hub.expire(this, this.#token.next(wallNow));
    }
  }

  onStall(): void {
    this.#sink.terminate();
    this.onClose();
  }

  drain(delayMs: number): void {
    if (this.#endAt === Number.POSITIVE_INFINITY) this.outbox.offer(new Frame(`retry: ${delayMs}\n\n`));
    this.#endAt = this.#hub.clock.now() + delayMs;
    this.#hub.schedule(this, this.#endAt);
  }

  /** @throws What making the view throws; the place of the connection is given back then. */
  #feedOf(filter: CompiledFilter): Feed<Holder> {
    try {
      return this.#tenant.feed(filter);
    } catch (error) {
      this.#admitted.release();
      throw error;
    }
  }

  #start(since: StreamPosition | undefined): void {
    const missed = since && this.#subscription.missedSince(since.view, since.version);
    if (missed === undefined) return this.#subscription.requestSnapshot(0);
    this.outbox.send(RESUMED);
    for (const diff of missed) this.#subscription.deliver(new Frame(diff.text), diff.version);
  }

  #end(): void {
    this.#sink.end();
    this.onClose();
  }
}
