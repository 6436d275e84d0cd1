import type { Diff, SnapshotPage } from "../protocol/wire.ts";
import type { Connection } from "./connection.ts";
import type { PresenceError } from "./errors.ts";
import { normalFilter } from "./filter.ts";
import { LINGER_MS, UPDATE_INTERVAL_MS, USUAL_SUBSCRIPTIONS } from "./limits.ts";
import { isPassing, type Requests } from "./requests.ts";
import { repeatDelay } from "./retry.ts";
import { SharedSubscription, type SharedSubscriptionOwner } from "./shared-subscription.ts";
import { Subscriber } from "./subscriber.ts";
import type { PresenceFilter, PresenceListener, SubscribeOptions, Subscription } from "./types.ts";

/**
 * All subscriptions of a client: one shared subscription for each filter. Each has at most one request under
 * way. So what the gateway has is known after each answer, and `#settle` brings it closer to what is wanted.
 */
export class Subscriptions implements SharedSubscriptionOwner {
  readonly #connection: Connection;
  readonly #requests: Requests;
  readonly #maxUsers: number;
  readonly #byFilter = new Map<string, SharedSubscription>();
  readonly byView = new Map<string, SharedSubscription>();
  /** What takes a place at the gateway: subscribed to or asked for, and not given up. */
  readonly #held = new Set<SharedSubscription>();
  /** So many places the socket is believed to have. */
  #places = USUAL_SUBSCRIPTIONS;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** While there are more: one at a time is tried, to see whether there is another place by now. */
  #tries = 0;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #graceEndsAt = 0;

  constructor(connection: Connection, requests: Requests, maxUsers: number) {
    this.#connection = connection;
    this.#requests = requests;
    this.#maxUsers = maxUsers;
  }

  /** Whether nobody wants anything. */
  get isEmpty(): boolean {
    return ![...this.#byFilter.values()].some((shared) => shared.isWanted);
  }

  subscribe(filter: PresenceFilter, listener: PresenceListener, options: SubscribeOptions): Subscription {
    const normal = normalFilter(filter);
    const { key } = normal;
    const shared = this.#byFilter.get(key) ?? new SharedSubscription(normal, this, this.#maxUsers);
    this.#byFilter.set(key, shared);
    const subscriber = new Subscriber(listener, options.onError, (ended) => {
      shared.subscribers.delete(ended);
      shared.lingers = true;
      setTimeout(() => {
        shared.lingers = false;
        this.#settle();
      }, LINGER_MS);
    });
    shared.add(subscriber);
    // Where there is no place left, the same turn may give one up.
    if (this.#held.size >= this.#places) this.#settleIn(0);
    else if (this.#connection.isConnected) this.#settle();
    return subscriber;
  }

  /** On a new connection: subscribes to everything again. */
  connected(graceMs: number): void {
    this.#graceEndsAt = performance.now() + graceMs;
    this.#settle();
  }

  lost(): void {
    for (const shared of this.#byFilter.values()) shared.lost();
    this.#held.clear();
    this.#setPlaces(USUAL_SUBSCRIPTIONS);
    clearTimeout(this.#timer);
    this.#timer = undefined;
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
    this.#held.delete(shared);
    this.failed(shared, error);
  }

  endAll(error: PresenceError): void {
    this.lost();
    for (const shared of this.#byFilter.values()) shared.end(error);
    this.#byFilter.clear();
  }

  answered(shared: SharedSubscription, error?: PresenceError): void {
    if (shared.view) this.#held.add(shared);
    else this.#held.delete(shared);
    if (error?.code === "LIMIT_REACHED") {
      this.#places = this.#held.size;
      // Perhaps there is room for another: this one is tried again after them.
      this.#byFilter.delete(shared.filter.key);
      this.#byFilter.set(shared.filter.key, shared);
    } else if (!error && this.#held.size > this.#places) this.#setPlaces(2 * this.#held.size);
    if (error && !isPassing(error)) this.failed(shared, error);
    else if (shared.isWanted) this.#settleIn(0);
    else this.#settle();
  }

  failed(shared: SharedSubscription, error: PresenceError): void {
    shared.end(error);
    this.#settle();
  }

  #settleIn(ms: number): void {
    this.#timer ??= setTimeout(() => this.#settle(), ms);
  }

  #setPlaces(places: number): void {
    this.#places = places;
    this.#tries = 0;
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
  }

  /**
   * Gives up what nobody wants, then asks for what is missing. What nobody wants never takes the place of
   * something that is wanted.
   * @param spare How many to try beyond the places that the gateway seems to have.
   */
  #settle(spare = 0): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const all = [...this.#byFilter.values()];
    const missing = all.filter((shared) => shared.isMissing);
    for (const shared of all) {
      if (shared.isWanted || shared.isBusy) continue;
      if (shared.lingers && this.#held.size + missing.length <= this.#places) continue;
      if (!shared.view) {
        this.#byFilter.delete(shared.filter.key);
        shared.end();
        continue;
      }
      if (this.#connection.isCongested) return this.#settleIn(UPDATE_INTERVAL_MS);
      this.#held.delete(shared);
      shared.unsubscribe(this.#requests);
    }
    if (!this.#connection.isConnected) return;
    // What was asked for and is not wanted any more gives up its place when its answer comes.
    const isHeldUp = [...this.#held].some((shared) => !shared.isWanted);
    for (const shared of missing) {
      // An answer may have come at once.
      if (!shared.isMissing) continue;
      if (this.#held.size >= this.#places) {
        if (isHeldUp) return;
        if (!spare--) {
          this.#retryTimer ??= setTimeout(
            () => {
              this.#retryTimer = undefined;
              this.#settle(1);
            },
            repeatDelay(this.#tries++),
          );
          return;
        }
      }
      if (this.#connection.isCongested) return this.#settleIn(UPDATE_INTERVAL_MS);
      this.#held.add(shared);
      shared.request(this.#requests, this.#graceEndsAt - performance.now());
    }
  }
}
