/** `presence-gateway/client`: sessions, live filters and queries over one socket, in browsers and in Node. */
export { createClient } from "./client.ts";
export * from "./types.ts";
