import type { ReadonlyTable } from "../../core/sessions/table.ts";
import type { CompiledFilter } from "../../core/views/compiled-filter.ts";
import type { View } from "../../core/views/view.ts";
import { type Hydrated, type IdleViewOwner, ViewRegistry } from "../../core/views/view-registry.ts";
import type { Clock } from "../clock.ts";
import type { GatewayConfig } from "./gateway-config.ts";
import { Subscription, type SubscriptionReader } from "./subscription.ts";
import type { Telemetry } from "./telemetry.ts";
import type { TurnBudget } from "./turn-budget.ts";
import { type AnySubscriber, ViewChannel } from "./view-channel.ts";
import { ViewFlusher } from "./view-flusher.ts";

export interface LiveViewsOptions {
  readonly table: ReadonlyTable;
  readonly limits: Pick<GatewayConfig, "diffIntervalMs">;
  readonly telemetry: Telemetry;
  readonly makeId: () => string;
  readonly clock: Clock;
  /** Called with the time at which a view will be due. */
  readonly wakeBy: (due: number) => void;
  /** The node's time for flushes in one turn of the event loop. */
  readonly flushTurn: TurnBudget;
}

/** The views of one app and their subscribers. */
export class LiveViews {
  readonly views: ViewRegistry;
  readonly flusher: ViewFlusher;
  readonly #options: LiveViewsOptions;
  readonly #channels = new Map<View, ViewChannel>();
  #hydrating: NodeJS.Immediate | undefined;
  #subscriptions = 0;

  constructor(options: LiveViewsOptions) {
    const { table, limits, makeId } = options;
    this.#options = options;
    this.views = new ViewRegistry(table, limits.diffIntervalMs, makeId);
    this.flusher = new ViewFlusher({ ...options, views: this.views, channels: this.#channels });
  }

  /** How many subscriptions there are. */
  get subscriptions(): number {
    return this.#subscriptions;
  }

  /**
   * Sizes of internal collections. All must be zero once every client has left and the idle views have
   * expired.
   */
  debugCounts(): Record<string, number> {
    return {
      ...this.views.debugCounts(),
      channels: this.#channels.size,
      publishing: this.flusher.publishing,
      subscriptions: this.#subscriptions,
    };
  }

  /**
   * Subscribes a reader to a filter, and charges its user for the view. Undefined: the user has no room for
   * it, and nothing has changed. To make room, views that are only kept for this user are dropped.
   *
   * @throws What creating the view throws.
   */
  attach(filter: CompiledFilter, reader: SubscriptionReader): Subscription | undefined {
    const { charges } = reader;
    const { key } = filter;
    const known = this.views.find(filter);
    if (charges !== undefined) {
      const hasRoom =
        known === undefined
          ? charges.makeRoom(this.views.minBytesOf(filter))
          : charges.subscribe(key, this.views.bytesOf(known));
      if (!hasRoom) return undefined;
    }
    const channel = this.channel(filter);
    if (known === undefined && charges?.subscribe(key, this.views.bytesOf(channel.view)) === false) {
      // The size of the view is known only now.
      if (channel.size === 0 && this.#channels.delete(channel.view)) this.views.drop(channel.view);
      return undefined;
    }
    const subscription = new Subscription(channel, reader);
    this.join(channel, subscription);
    return subscription;
  }

  /** Ends a subscription. Returns the ids of its requests that stay without an answer. */
  detach(subscription: Subscription, now: number): readonly number[] {
    const { channel, payer } = subscription;
    payer?.unsubscribe(channel.view.filter.key);
    return this.leave(channel, subscription, now, payer);
  }

  /**
   * Returns the channel of a filter, and creates it if there is none. If nobody joins it, `releaseChannel`
   * must be called for it.
   */
  channel(filter: CompiledFilter): ViewChannel {
    const view = this.views.acquire(filter);
    let channel = this.#channels.get(view);
    if (channel === undefined) {
      channel = new ViewChannel(view, this.#options.telemetry);
      this.#channels.set(view, channel);
    }
    this.#hydrate();
    return channel;
  }

  /** Adds a subscriber to a channel. The view no longer rests for what another user has used up. */
  join(channel: ViewChannel, subscriber: AnySubscriber): void {
    channel.add(subscriber);
    this.#subscriptions++;
    this.views.shortenRest(channel.view, subscriber.payer);
    this.flusher.wake();
  }

  /** The counterpart of `join`. `owner`: as for `releaseChannel`. */
  leave(
    channel: ViewChannel,
    subscriber: AnySubscriber,
    now: number,
    owner?: IdleViewOwner,
  ): readonly number[] {
    const unanswered = channel.remove(subscriber);
    this.#subscriptions--;
    this.releaseChannel(channel, now, owner);
    return unanswered;
  }

  /**
   * Removes a channel if it has no subscriber. Its view is kept for a while, for clients that resume, and
   * `owner` is charged for it.
   */
  releaseChannel(channel: ViewChannel, now: number, owner?: IdleViewOwner): void {
    if (channel.size > 0 || !this.#channels.delete(channel.view)) return;
    this.views.release(channel.view, now, owner);
    this.flusher.wake();
  }

  /** Hydrates large views, a little in each turn of the event loop, so that others are served in between. */
  #hydrate(): void {
    if (this.#hydrating !== undefined || !this.views.isHydrating) return;
    this.#hydrating = setImmediate(() => {
      this.#hydrating = undefined;
      try {
        const hydrated = this.views.hydrateMore();
        if (hydrated !== undefined) this.#hydrated(hydrated);
        this.flusher.flush(this.#options.clock.now());
      } catch (error) {
        this.#options.telemetry.crashed(error);
      }
      this.#hydrate();
    });
  }

  #hydrated({ view, error }: Hydrated): void {
    const channel = this.#channels.get(view);
    if (error === undefined) return channel?.hydrated();
    this.#options.telemetry.crashed(error);
    this.#channels.delete(view);
    channel?.fail(error);
  }
}
