import type { Diff, SnapshotPage } from "../protocol/wire.ts";
import type { Connection } from "./connection.ts";
import type { PresenceError } from "./errors.ts";
import { normalFilter } from "./filter.ts";
import { LINGER_MS, UPDATE_INTERVAL_MS, USUAL_SUBSCRIPTIONS } from "./limits.ts";
import { isPassing, type Requests } from "./requests.ts";
import { repeatDelay } from "./retry.ts";
import { createSharedSubscription, type SharedSubscription } from "./shared-subscription.ts";
import { createSubscriber } from "./subscriber.ts";
import type { PresenceFilter, PresenceListener, SubscribeOptions, Subscription } from "./types.ts";

/**
 * All subscriptions of a client: one shared subscription for each filter. Each has at most one request under
 * way. So what the gateway has is known after each answer, and `settle` brings it closer to what is wanted.
 */
export function createSubscriptions(connection: Connection, requests: Requests, maxUsers: number) {
  const byFilter = new Map<string, SharedSubscription>();
  const byView = new Map<string, SharedSubscription>();
  /** What takes a place at the gateway: subscribed to or asked for, and not given up. */
  const held = new Set<SharedSubscription>();
  /** So many places the socket is believed to have. */
  let places = USUAL_SUBSCRIPTIONS;
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** While there are more: one at a time is tried, to see whether there is another place by now. */
  let tries = 0;
  let retryTimer: ReturnType<typeof setTimeout> | undefined;
  let graceEndsAt = 0;

  const owner = {
    byView,

    answered(shared: SharedSubscription, error?: PresenceError): void {
      const { key } = shared.filter;
      if (shared.view) held.add(shared);
      else held.delete(shared);
      if (error?.code === "LIMIT_REACHED") {
        places = held.size;
        // Perhaps there is room for another: this one is tried again after them.
        byFilter.delete(key);
        byFilter.set(key, shared);
      } else if (!error && held.size > places) setPlaces(2 * held.size);
      if (error && !isPassing(error)) owner.failed(shared, error);
      else if (shared.isWanted) settleIn(0);
      else settle();
    },

    failed(shared: SharedSubscription, error: PresenceError): void {
      shared.end(error);
      settle();
    },
  };

  function settleIn(ms: number): void {
    timer ??= setTimeout(settle, ms);
  }

  function stopTimer(): void {
    clearTimeout(timer);
    timer = undefined;
  }

  function setPlaces(count: number): void {
    places = count;
    tries = 0;
    clearTimeout(retryTimer);
    retryTimer = undefined;
  }

  /**
   * Gives up what nobody wants, then asks for what is missing. What nobody wants never takes the place of
   * something that is wanted.
   * @param spare How many to try beyond the places that the gateway seems to have.
   */
  function settle(spare = 0): void {
    stopTimer();
    const all = [...byFilter.values()];
    const missing = all.filter((shared) => shared.isMissing);
    for (const shared of all) {
      if (shared.isWanted || shared.isBusy) continue;
      if (shared.lingers && held.size + missing.length <= places) continue;
      if (!shared.view) {
        byFilter.delete(shared.filter.key);
        shared.end();
        continue;
      }
      if (connection.isCongested) return settleIn(UPDATE_INTERVAL_MS);
      held.delete(shared);
      shared.unsubscribe(requests);
    }
    if (!connection.isConnected) return;
    // What was asked for and is not wanted any more gives up its place when its answer comes.
    const isHeldUp = [...held].some((shared) => !shared.isWanted);
    for (const shared of missing) {
      // An answer may have come at once.
      if (!shared.isMissing) continue;
      if (held.size >= places) {
        if (isHeldUp) return;
        if (!spare--) {
          retryTimer ??= setTimeout(() => {
            retryTimer = undefined;
            settle(1);
          }, repeatDelay(tries++));
          return;
        }
      }
      if (connection.isCongested) return settleIn(UPDATE_INTERVAL_MS);
      held.add(shared);
      shared.request(requests, graceEndsAt - performance.now());
    }
  }

  function lost(): void {
    for (const shared of byFilter.values()) shared.lost();
    held.clear();
    setPlaces(USUAL_SUBSCRIPTIONS);
    stopTimer();
  }

  return {
    lost,

    /** Whether nobody wants anything. */
    get isEmpty(): boolean {
      return ![...byFilter.values()].some((shared) => shared.isWanted);
    },

    subscribe(filter: PresenceFilter, listener: PresenceListener, options: SubscribeOptions): Subscription {
      const normal = normalFilter(filter);
      const shared = byFilter.get(normal.key) ?? createSharedSubscription(normal, owner, maxUsers);
      byFilter.set(normal.key, shared);
      const subscriber = createSubscriber(listener, options.onError, (ended) => {
        shared.subscribers.delete(ended);
        shared.lingers = true;
        setTimeout(() => {
          shared.lingers = false;
          settle();
        }, LINGER_MS);
      });
      shared.add(subscriber);
      // Where there is no place left, the same turn may give one up.
      if (held.size >= places) settleIn(0);
      else if (connection.isConnected) settle();
      return subscriber;
    },

    /** On a new connection: subscribes to everything again. */
    connected(graceMs: number): void {
      graceEndsAt = performance.now() + graceMs;
      settle();
    },

    /** A snapshot without a request: this client was too slow for the diffs. */
    addPage(page: SnapshotPage): void {
      byView.get(page.view)?.addPage(page);
    },

    /** A diff of a view that was unsubscribed a moment ago is ignored. */
    addDiff(diff: Diff): void {
      byView.get(diff.view)?.addDiff(diff);
    },

    /** The gateway has ended a view. */
    ended(view: string, error: PresenceError): void {
      const shared = byView.get(view);
      if (!shared) return;
      // There is no view to unsubscribe from any more.
      shared.lost();
      held.delete(shared);
      owner.failed(shared, error);
    },

    endAll(error: PresenceError): void {
      lost();
      for (const shared of byFilter.values()) shared.end(error);
      byFilter.clear();
    },
  };
}
