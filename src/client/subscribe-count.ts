import { isId } from "../protocol/rules.ts";
import type { Connection } from "./connection.ts";
import { PresenceError, protocolError } from "./errors.ts";
import { normalFilter } from "./filter.ts";
import { internalsOf, type Part } from "./internals.ts";
import { LINGER_MS } from "./limits.ts";
import { isPassing, type Requests } from "./requests.ts";
import { isCount } from "./server-message.ts";
import type { PresenceClient, PresenceFilter, SubscribeOptions, SubscriptionState } from "./types.ts";

export interface CountSubscription {
  /** `pending` until the first number, then `active`, also while the client reconnects. */
  readonly state: SubscriptionState;
  /** The latest number of users; undefined until there is one. */
  readonly count: number | undefined;
  /** Why the state is `error`. */
  readonly error: PresenceError | undefined;
  /** Ends the subscription. No callback comes after this. */
  unsubscribe(): void;
}

type Counter = { -readonly [Field in keyof CountSubscription]: CountSubscription[Field] } & {
  deliver(count: number): void;
  fail(error: PresenceError): void;
};

interface SharedCount extends Part {
  readonly counters: Set<Counter>;
  readonly count: number | undefined;
  remove(counter: Counter): void;
  /** Brings what the gateway has closer to what is wanted. */
  settle(): void;
}

/** By client and by the filter's key: one view at the gateway for each. */
const counts = new WeakMap<PresenceClient, Map<string, SharedCount>>();

/**
 * Subscribes to the number of users in the result of a filter. It costs the gateway and the network less than
 * the users themselves. The listener is never called before this returns.
 */
export function subscribeCount(
  client: PresenceClient,
  filter: PresenceFilter,
  listener: (count: number) => void,
  { onError }: SubscribeOptions = {},
): CountSubscription {
  const add = internalsOf(client);
  // The sessions are not listed, whatever their fields.
  const normal = normalFilter({ ...filter, fields: null });
  const byKey = counts.get(client) ?? new Map<string, SharedCount>();
  counts.set(client, byKey);
  const { key } = normal;
  const isOver = () => counter.state === "unsubscribed" || counter.state === "error";
  const call = (listen: () => void) => queueMicrotask(() => counter.state !== "unsubscribed" && listen());
  const counter: Counter = {
    state: "pending",
    count: undefined,
    error: undefined,
    deliver(count) {
      counter.state = "active";
      counter.count = count;
      call(() => listener(count));
    },
    fail(error) {
      counter.state = error.code === "CLOSED" ? "unsubscribed" : "error";
      counter.error = error;
      call(() => onError?.(error));
    },
    unsubscribe() {
      const wasOver = isOver();
      counter.state = "unsubscribed";
      if (!wasOver) shared!.remove(counter);
    },
  };
  let shared = byKey.get(key);
  if (!shared)
    add((requests, connection, remove) => {
      const made = createSharedCount(normal.filter, counter, requests, connection, () => {
        remove(made);
        byKey.delete(key);
      });
      byKey.set(key, made);
      shared = made;
      return made;
    });
  else {
    shared.counters.add(counter);
    if (shared.count !== undefined) counter.deliver(shared.count);
    else shared.settle();
  }
  return counter;
}

/**
 * All counters with the same filter; it begins with the first of them. It has at most one request under way.
 */
function createSharedCount(
  filter: PresenceFilter,
  first: Counter,
  requests: Requests,
  connection: Connection,
  gone: () => void,
): SharedCount {
  const counters = new Set<Counter>([first]);
  let view: string | undefined;
  let version = 0;
  let count: number | undefined;
  let isBusy = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function settle(): void {
    if (isBusy) return;
    const isWanted = counters.size > 0;
    if (!isWanted && view === undefined) return leave();
    if (!connection.isConnected() || isWanted === (view !== undefined)) return;
    isBusy = true;
    requests.request(
      isWanted ? { type: "subscribe", filter, count: true } : { type: "unsubscribe", view: view! },
      (answer) => {
        isBusy = false;
        view = undefined;
        if (isWanted) {
          if (answer.type !== "count" || !isId(answer.view)) throw protocolError(answer.type);
          version = -1;
          take(answer);
          view = answer.view;
        }
        settle();
        return undefined;
      },
      (error) => {
        if (isPassing(error)) return true;
        isBusy = false;
        view = undefined;
        if (isWanted) fail(error);
        settle();
        return undefined;
      },
    );
  }

  /** A gateway that counts backwards, or what is no number, breaks the protocol. */
  function take({ version: next, users }: { readonly version?: number | undefined; readonly users: number }) {
    if (!isCount(users) || !isCount(next) || next! <= version) throw protocolError("count");
    version = next!;
    // On a new connection the number may be the same.
    if (users === count) return;
    count = users;
    for (const counter of counters) counter.deliver(users);
  }

  function fail(error: PresenceError): void {
    for (const counter of counters) counter.fail(error);
    counters.clear();
  }

  function lost(): void {
    isBusy = false;
    view = undefined;
  }

  /** Another one may take its place, which no timer of this one may end. */
  function leave(): void {
    clearTimeout(timer);
    gone();
  }

  const shared: SharedCount = {
    counters,
    remove(counter) {
      counters.delete(counter);
      // A page that takes one down and puts another up has the same filter again a moment later.
      clearTimeout(timer);
      timer = setTimeout(settle, LINGER_MS);
    },
    settle,
    request: settle,
    lost,
    get count() {
      return count;
    },
    receive(message) {
      if (message.type === "error" && message.view !== undefined && message.view === view) {
        view = undefined;
        fail(new PresenceError(message.code, message.message));
        settle();
      }
      if (message.type !== "count" || message.id !== undefined || message.view !== view) return;
      take(message);
    },
    end(error) {
      fail(error);
      lost();
      leave();
    },
  };
  return shared;
}
