import type { ServerKind } from "../servers/server-kind.ts";

/** What people would use instead of the gateway, each set up as its users would. */
export const PEERS: readonly ServerKind[] = [];
