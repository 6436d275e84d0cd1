import type { Connection } from "./connection.ts";
import { PresenceError } from "./errors.ts";
import { normalFilter } from "./filter.ts";
import { LINGER_MS, USUAL_SUBSCRIPTIONS } from "./limits.ts";
import { now } from "./pace.ts";
import { isPassing, type Requests } from "./requests.ts";
import { repeatDelay } from "./retry.ts";
import type { Content } from "./server-message.ts";
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
      else if (shared.isWanted) settleSoon();
      else settle();
    },

    failed(shared: SharedSubscription, error: PresenceError): void {
      shared.end(error);
      settle();
    },
  };

  function settleSoon(): void {
    timer ??= setTimeout(settle);
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
      held.delete(shared);
      shared.unsubscribe();
    }
    if (!connection.isConnected()) return;
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
      held.add(shared);
      shared.request(graceEndsAt - now());
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

    /** Whether somebody wants anything. */
    get isWanted(): boolean {
      return [...byFilter.values()].some((shared) => shared.isWanted);
    },

    subscribe(filter: PresenceFilter, listener: PresenceListener, options: SubscribeOptions): Subscription {
      const normal = normalFilter(filter);
      const shared = byFilter.get(normal.key) ?? createSharedSubscription(normal, owner, requests, maxUsers);
      byFilter.set(normal.key, shared);
      const subscriber = createSubscriber(listener, options.onError, (ended) => {
        shared.subscribers.delete(ended);
        clearTimeout(shared.lingers);
        shared.lingers = setTimeout(() => {
          shared.lingers = undefined;
          settle();
        }, LINGER_MS);
      });
      shared.add(subscriber);
      // Where there is no place left, the same turn may give one up.
      if (held.size >= places) settleSoon();
      else if (connection.isConnected()) settle();
      return subscriber;
    },

    /** On a new connection: subscribes to everything again. */
    request(graceMs = 0): void {
      graceEndsAt = now() + graceMs;
      settle();
    },

    /** What comes unasked about a view. Of one that was unsubscribed a moment ago it is ignored. */
    receive(message: Content): void {
      const { id, view } = message as { readonly id?: number; readonly view?: string };
      const shared = byView.get(view!);
      if (!shared) return;
      if (message.type === "diff") shared.addDiff(message);
      // Without a request: this client was too slow for the diffs.
      else if (message.type === "snapshot" && id === undefined) shared.addPage(message);
      else if (message.type === "error") {
        // There is no view to unsubscribe from any more.
        shared.lost();
        held.delete(shared);
        owner.failed(shared, new PresenceError(message.code, message.message));
      }
    },

    end(error: PresenceError): void {
      lost();
      for (const shared of byFilter.values()) shared.end(error);
      byFilter.clear();
    },
  };
}
