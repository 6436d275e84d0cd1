"use client";

import type { Status } from "@presence-gateway/client";
import * as React from "react";
import { usePresenceClient } from "./provider.ts";

/** The status of the connection. Unless it is `connected`, what is on screen may be old. */
export function useStatus(): Status {
  const client = usePresenceClient();
  const subscribe = React.useCallback((onChange: () => void) => client.on("status", onChange), [client]);
  return React.useSyncExternalStore(subscribe, client.status, () => "idle");
}
