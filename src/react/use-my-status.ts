"use client";

import { type EffectiveStatus, type StatusChange, setStatus } from "@presence-gateway/client";
import * as React from "react";
import { usePresenceClient } from "./provider.ts";
import { usePresence } from "./use-presence.ts";

export interface MyStatus {
  /** What others see, or `invisible`; undefined while the user has no session, or nothing is known yet. */
  readonly status: EffectiveStatus | undefined;
  readonly text: string | undefined;
  readonly emoji: string | undefined;
  /**
   * Declares another status. Resolves when the gateway has it; rejects with a `PresenceError` if the gateway
   * refuses it. Stays the same function.
   */
  readonly set: (change: StatusChange) => Promise<void>;
}

/** The status of the user whose token the client has, and a function that declares another. */
export function useMyStatus(me: string): MyStatus {
  const client = usePresenceClient();
  const { users } = usePresence({ userIds: [me], includeBackgroundSessions: true, fields: [] });
  const set = React.useCallback((change: StatusChange) => setStatus(client, change), [client]);
  const { status, statusText, statusEmoji } = users.get(me) ?? {};
  return { status, text: statusText, emoji: statusEmoji, set };
}
