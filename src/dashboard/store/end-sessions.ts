import type { Credentials } from "../model/credentials.ts";
import { gatewayAddress } from "./address.ts";

const TIMEOUT_MS = 10_000;

/**
 * Ends all sessions of a user, also those that the filter leaves out. Resolves with their number.
 *
 * @throws Error with a sentence for the person at the page, if the gateway refuses or does not respond.
 */
export async function endSessions({ appId, token }: Credentials, userId: string): Promise<number> {
  const path = `/v1/${encodeURIComponent(appId)}/users/${encodeURIComponent(userId)}/sessions`;
  const response = await fetch(gatewayAddress() + path, {
    method: "DELETE",
    headers: { authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch(() => undefined);
  if (response === undefined) throw new Error("The gateway does not respond. Some sessions may have ended.");
  if (!response.ok) throw new Error(`The gateway refuses, with status ${response.status}.`);
  const body = (await response.json()) as { readonly ended: number };
  return body.ended;
}
