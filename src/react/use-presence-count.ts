"use client";

import {
  type CountSubscription,
  normalFilter,
  type PresenceClient,
  type PresenceFilter,
  subscribeCount,
} from "@presence-gateway/client";
import * as React from "react";
import { usePresenceClient } from "./provider.ts";

/** A number of users; undefined before the first. `error`: why the state is `error`. */
export type PresenceCount = Pick<CountSubscription, "count" | "state" | "error">;

const PENDING: PresenceCount = { count: undefined, state: "pending", error: undefined };

/**
 * Subscribes to the number of users in the result of a filter as long as the component is mounted; null
 * subscribes to nothing. The filter may be written in place. It costs less than `usePresence`, since the
 * gateway sends only the number.
 */
export function usePresenceCount(filter: PresenceFilter | null | undefined): PresenceCount {
  const client = usePresenceClient();
  const key = filter ? normalFilter(filter).key : undefined;
  const store = React.useMemo(() => createStore(client, key), [client, key]);
  return React.useSyncExternalStore(store.subscribe, store.read, () => PENDING);
}

function createStore(client: PresenceClient, key: string | undefined) {
  let latest = PENDING;
  const subscribe = (onChange: () => void) => {
    if (key === undefined) return () => {};
    const changed = () => {
      const { count, state, error } = subscription;
      latest = { count, state, error };
      onChange();
    };
    const subscription = subscribeCount(client, JSON.parse(key), changed, { onError: changed });
    return () => subscription.unsubscribe();
  };
  return { subscribe, read: () => latest };
}
