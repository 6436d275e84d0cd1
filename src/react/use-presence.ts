"use client";

import {
  normalFilter,
  type PresenceClient,
  type PresenceError,
  type PresenceFilter,
  type PresenceSnapshot,
  type PresenceValue,
  type Subscription,
  type SubscriptionState,
  type ValueOf,
} from "@presence-gateway/client";
import * as React from "react";
import { usePresenceClient } from "./provider.ts";

export interface Presence<Value = PresenceValue> {
  /** The users in the result, by id; empty before the first snapshot. */
  readonly users: PresenceSnapshot<Value>;
  readonly state: SubscriptionState;
  /** Why the state is `error`. */
  readonly error: PresenceError | undefined;
}

const PENDING: Presence = { users: new Map(), state: "pending", error: undefined };

/** What is watched, by client and by the filter's key. */
const watches = new WeakMap<PresenceClient, Map<string, Watch>>();

/**
 * Subscribes to a filter as long as the component is mounted; null subscribes to nothing. The filter may be
 * written in place: filters that mean the same are the same. A component that mounts beside others with the
 * same filter has the users at once. Users who did not change are the same objects as before, so that
 * memoized rows are not rendered again. What the gateway refuses is the `error`; nothing is thrown.
 */
export function usePresence<const Filter extends PresenceFilter>(
  filter: Filter | null | undefined,
): Presence<ValueOf<Filter>> {
  const client = usePresenceClient();
  const key = filter ? normalFilter(filter).key : undefined;
  const store = React.useMemo(() => createStore(client, key), [client, key]);
  // The listed values are as the filter's `fields` say.
  return React.useSyncExternalStore(store.subscribe, store.read, readOnServer) as never;
}

function createStore(client: PresenceClient, key = "") {
  const read = () => watches.get(client)?.get(key)?.presence ?? PENDING;
  const subscribe = (onChange: () => void) => {
    if (!key) return () => {};
    const byKey = watches.get(client) ?? new Map<string, Watch>();
    watches.set(client, byKey);
    const watch = byKey.get(key) ?? new Watch();
    byKey.set(key, watch);
    watch.add(onChange, client, key);
    return () => {
      if (watch.isLast(onChange)) byKey.delete(key);
    };
  };
  return { read, subscribe };
}

/** The components with the same filter share one subscription, and what they read of it. */
class Watch {
  presence = PENDING;
  readonly #listeners = new Set<() => void>();
  #subscription: Subscription | undefined;

  add(onChange: () => void, client: PresenceClient, key: string): void {
    this.#listeners.add(onChange);
    const state = this.#subscription?.state;
    if (state === "pending" || state === "active") return;
    // The first component, or one that comes after an error: it may be over by now.
    const subscription = client.subscribe(JSON.parse(key) as PresenceFilter, () => this.#changed(), {
      onError: () => this.#changed(),
    });
    this.#subscription = subscription;
    this.#changed();
  }

  /** Takes a component away. Returns whether it was the last, which ends the subscription. */
  isLast(onChange: () => void): boolean {
    this.#listeners.delete(onChange);
    if (this.#listeners.size > 0) return false;
    this.#subscription?.unsubscribe();
    return true;
  }

  #changed(): void {
    const { snapshot, state, error } = this.#subscription!;
    this.presence = { users: snapshot ?? PENDING.users, state, error };
    for (const onChange of this.#listeners) onChange();
  }
}

function readOnServer(): Presence {
  return PENDING;
}
