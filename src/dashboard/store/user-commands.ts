import type { Credentials } from "../model/credentials.ts";
import type { Availability } from "../model/status.ts";
import { requestGateway } from "./gateway-request.ts";

// What the page does to a user. All of it rejects with a sentence for the person at the page.

/** Ends all sessions of a user, also those that the filter leaves out. Resolves with their number. */
export async function endSessions(credentials: Credentials, userId: string): Promise<number> {
  const path = "users/sessions";
  const { ended } = await requestGateway<{ ended: number }>(credentials, { method: "DELETE", path, userId });
  return ended;
}

export interface NewStatus {
  readonly availability: Availability;
  /** Empty: none. */
  readonly text: string;
  readonly emoji: string;
  /** Undefined: it does not expire. */
  readonly expiresInMs: number | undefined;
}

/** Replaces the declared status of a user. */
export async function setStatus(credentials: Credentials, userId: string, body: NewStatus): Promise<void> {
  await requestGateway(credentials, { method: "PUT", path: "users/status", userId, body });
}

/** Sets the declared status of a user back to the default. */
export async function clearStatus(credentials: Credentials, userId: string): Promise<void> {
  await requestGateway(credentials, { method: "DELETE", path: "users/status", userId });
}

/**
 * Ends all sessions of a user, and forgets status and last seen. Resolves with the number of sessions that
 * have ended.
 */
export async function eraseUser(credentials: Credentials, userId: string): Promise<number> {
  const { ended } = await requestGateway<{ ended: number }>(credentials, {
    method: "DELETE",
    path: "users",
    userId,
  });
  return ended;
}
