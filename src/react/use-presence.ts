"use client";

import {
  normalFilter,
  type PresenceClient,
  type PresenceError,
  type PresenceFilter,
  type PresenceSnapshot,
  type Subscription,
  type SubscriptionState,
} from "@presence-gateway/client";
import { useMemo, useSyncExternalStore } from "react";
import { usePresenceClient } from "./provider.ts";

export interface Presence {
  /** The users in the result, by id; empty before the first snapshot. */
  readonly users: PresenceSnapshot;
  readonly state: SubscriptionState;
  /** Why the state is `error`. */
  readonly error: PresenceError | undefined;
}

const PENDING: Presence = { users: new Map(), state: "pending", error: undefined };

/**
 * Subscribes to a filter as long as the component is mounted; null subscribes to nothing. The filter may be
 * written in place: filters that mean the same are the same. Users who did not change are the same objects as
 * before, so that memoized rows are not rendered again. What the gateway refuses is the `error`; nothing is
 * thrown.
 */
export function usePresence(filter: PresenceFilter | null | undefined): Presence {
  const client = usePresenceClient();
  const key = filter ? normalFilter(filter).key : undefined;
  const store = useMemo(() => createStore(client, key), [client, key]);
  return useSyncExternalStore(store.subscribe, store.read, readOnServer);
}

function createStore(client: PresenceClient, key: string | undefined) {
  let presence = PENDING;
  const read = () => presence;
  const subscribe = (onChange: () => void) => {
    if (key === undefined) return () => {};
    const take = ({ snapshot, state, error }: Subscription) => {
      presence = { users: snapshot ?? PENDING.users, state, error };
    };
    const changed = () => {
      take(subscription);
      onChange();
    };
    const subscription = client.subscribe(JSON.parse(key), changed, { onError: changed });
    // If another component has the same filter, the users are there at once.
    take(subscription);
    return () => subscription.unsubscribe();
  };
  return { read, subscribe };
}

function readOnServer(): Presence {
  return PENDING;
}
