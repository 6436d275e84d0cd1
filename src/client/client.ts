import type { ClientOptions, PresenceClient } from "./types.ts";

/** Makes a client. It connects when it is first needed. */
export function createClient(_options: ClientOptions): PresenceClient {
  throw new Error("under way");
}
