import type { Diff, SnapshotPage } from "../protocol/wire.ts";
import type { Connection } from "./connection.ts";
import type { PresenceError } from "./errors.ts";
import { normalFilter } from "./filter.ts";
import { LINGER_MS } from "./limits.ts";
import type { Requests } from "./requests.ts";
import { SharedSubscription, type SharedSubscriptionOwner } from "./shared-subscription.ts";
import { Subscriber } from "./subscriber.ts";
import type { PresenceFilter, PresenceListener, SubscribeOptions, Subscription } from "./types.ts";

/** All subscriptions of a client: one shared subscription for each filter. */
export class Subscriptions implements SharedSubscriptionOwner {
  readonly #connection: Connection;
  readonly #requests: Requests;
  readonly #maxUsers: number;
  readonly #byFilter = new Map<string, SharedSubscription>();
  readonly byView = new Map<string, SharedSubscription>();

  constructor(connection: Connection, requests: Requests, maxUsers: number) {
    this.#connection = connection;
    this.#requests = requests;
    this.#maxUsers = maxUsers;
  }

  get isEmpty(): boolean {
    return this.#byFilter.size === 0;
  }

  subscribe(filter: PresenceFilter, listener: PresenceListener, options: SubscribeOptions): Subscription {
    const normal = normalFilter(filter);
    const existing = this.#byFilter.get(normal.key);
    const shared = existing ?? new SharedSubscription(normal, this, this.#maxUsers);
    if (!existing) {
      this.#byFilter.set(normal.key, shared);
      if (this.#connection.isConnected) shared.request(this.#requests);
    }
    const subscriber = new Subscriber(listener, options.onError, (ended) => {
      shared.subscribers.delete(ended);
      setTimeout(() => this.settled(shared), LINGER_MS);
    });
    shared.add(subscriber);
    return subscriber;
  }

  /** On a new connection: subscribes to everything again. */
  connected(graceMs: number): void {
    for (const shared of this.#byFilter.values()) {
      if (shared.subscribers.size > 0) shared.request(this.#requests, graceMs);
      else this.settled(shared);
    }
  }

  lost(): void {
    for (const shared of this.#byFilter.values()) shared.lost();
  }

  /** A snapshot without a request: this client was too slow for the diffs. */
  addPage(page: SnapshotPage): void {
    this.byView.get(page.view)?.addPage(page);
  }

  /** A diff of a view that was unsubscribed a moment ago is ignored. */
  addDiff(diff: Diff): void {
    this.byView.get(diff.view)?.addDiff(diff);
  }

  /** The gateway has ended a view. */
  ended(view: string, error: PresenceError): void {
    const shared = this.byView.get(view);
    if (!shared) return;
    // There is no view to unsubscribe from any more.
    shared.lost();
    this.settled(shared, error);
  }

  endAll(error: PresenceError): void {
    for (const shared of this.#byFilter.values()) shared.end(error);
    this.#byFilter.clear();
  }

  settled(shared: SharedSubscription, error?: PresenceError): void {
    const { subscribers, isRequested, filter, view } = shared;
    // Once it is requested, only the answer brings the view to unsubscribe from.
    const isNeeded = subscribers.size > 0 || isRequested || this.#byFilter.get(filter.key) !== shared;
    if (isNeeded && !error) return;
    this.#byFilter.delete(filter.key);
    if (view) this.#requests.notify({ type: "unsubscribe", view });
    shared.end(error);
  }
}
