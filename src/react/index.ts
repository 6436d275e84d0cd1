"use client";

/** `@presence-gateway/react`: hooks on the client SDK. */
export { PresenceProvider, type PresenceProviderProps, usePresenceClient } from "./provider.ts";
export { type MyStatus, useMyStatus } from "./use-my-status.ts";
export { type Presence, usePresence } from "./use-presence.ts";
export { type PresenceCount, usePresenceCount } from "./use-presence-count.ts";
export { type SessionControls, useSession } from "./use-session.ts";
export { useStatus } from "./use-status.ts";
