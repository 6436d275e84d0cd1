import type { Diff, SnapshotPage } from "../protocol/wire.ts";
import type { Connection } from "./connection.ts";
import type { PresenceError } from "./errors.ts";
import { normalFilter } from "./filter.ts";
import type { Requests } from "./requests.ts";
import { Watch, type WatchesByView, type WatchKeeper, WatchSubscription } from "./shared-subscription.ts";
import type { PresenceFilter, PresenceListener, SubscribeOptions, Subscription } from "./types.ts";

/** A page that takes one list down and puts another up has the same filter again a moment later. */
const LINGER_MS = 100;

/** All watches of a client: one for each filter. */
export class Watches implements WatchKeeper {
  readonly #connection: Connection;
  readonly #requests: Requests;
  readonly #maxUsers: number;
  readonly #byFilter = new Map<string, Watch>();
  readonly #byView: WatchesByView = new Map();

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
    let watch = this.#byFilter.get(normal.key);
    if (watch === undefined) {
      watch = new Watch(normal, this.#byView, this, this.#maxUsers);
      this.#byFilter.set(normal.key, watch);
      if (this.#connection.isConnected) watch.ask(this.#requests);
    }
    const shared = watch;
    const subscription = new WatchSubscription(listener, options, (ended) => {
      shared.subscribers.delete(ended);
      setTimeout(() => this.settled(shared), LINGER_MS);
    });
    watch.add(subscription);
    return subscription;
  }

  /** On a new connection: asks for everything again. */
  connected(graceMs: number): void {
    for (const watch of this.#byFilter.values()) {
      if (watch.subscribers.size === 0) this.#byFilter.delete(watch.filter.key);
      else watch.ask(this.#requests, graceMs);
    }
  }

  lost(): void {
    this.#byView.clear();
    for (const watch of this.#byFilter.values()) watch.interrupted();
  }

  /** A snapshot that nobody asked for: we were too slow. */
  page(page: SnapshotPage): void {
    this.#byView.get(page.view)?.page(page);
  }

  /** One that was unsubscribed from a moment ago may still say something: it is let be. */
  diff(diff: Diff): void {
    this.#byView.get(diff.view)?.diff(diff);
  }

  /** The gateway has ended one. */
  ended(view: string, error: PresenceError): void {
    const watch = this.#byView.get(view);
    if (watch === undefined) return;
    this.#byFilter.delete(watch.filter.key);
    watch.end(error);
  }

  endAll(error: PresenceError): void {
    for (const watch of this.#byFilter.values()) watch.end(error);
    this.#byFilter.clear();
  }

  failed(watch: Watch, error: PresenceError): void {
    this.#unsubscribe(watch);
    watch.end(error);
  }

  settled(watch: Watch): void {
    // Once it was asked for, only the answer says what to unsubscribe from.
    if (watch.subscribers.size > 0 || watch.isAsked || this.#byFilter.get(watch.filter.key) !== watch) return;
    this.#unsubscribe(watch);
    watch.end();
  }

  #unsubscribe(watch: Watch): void {
    this.#byFilter.delete(watch.filter.key);
    if (watch.view !== undefined) this.#requests.tell({ type: "unsubscribe", view: watch.view });
  }
}
