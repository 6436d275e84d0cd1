/**
 * `@presence-gateway/client`: sessions, live filters and queries over one socket, in browsers and in Node.
 */
export { createClient } from "./client.ts";
export { PresenceError, type PresenceErrorCode } from "./errors.ts";
export { type NormalFilter, normalFilter } from "./filter.ts";
export { lastSeen } from "./last-seen.ts";
export { others } from "./others.ts";
export { type StatusChange, setStatus } from "./set-status.ts";
export { type CountSubscription, subscribeCount } from "./subscribe-count.ts";
export { type IdleOptions, trackIdle } from "./track-idle.ts";
export type * from "./types.ts";
