import type { EndCause } from "../../protocol/codes.ts";
import type { HeldSession, RemoteSession } from "../gateway/tenant.ts";

/** The tables of this node, as far as the sessions of one log go. */
export interface Tables {
  serves(appId: string): boolean;
  get(appId: string, sessionId: string): HeldSession | undefined;
  /** How many sessions the user of a new one has already. */
  countSessions(appId: string, userId: string): number;
  all(): Iterable<{ readonly appId: string; readonly session: HeldSession }>;
  /** Another node says how a session is that it owns, or has taken over. */
  applyRemote(appId: string, sessionId: string, remote: RemoteSession, owner: string, now: number): void;
  applyRemoteEnd(appId: string, session: HeldSession, cause: EndCause, now: number): void;
  /** A session that this node has given up is its own after all. */
  reclaim(appId: string, session: HeldSession, now: number): void;
  /** The owner of the session is no more. */
  onOwnerLost(appId: string, session: HeldSession, now: number): void;
}
