import type { Session } from "../../core/sessions/session.ts";
import { isHttpSession } from "../gateway/http-session-id.ts";
import type { ReplicationSink } from "../gateway/replication.ts";
import type { Replicator } from "./replicator.ts";

/**
 * Tells the changes of an app to the replicator of the shard that the user is in.
 *
 * `canExpireSessions`: whether sessions that lost their socket may end, see `Reachability`.
 */
export function createReplicationSink(
  appId: string,
  replicatorOf: (userId: string) => Replicator,
  canExpireSessions: (now: number) => boolean,
  nodeNumber: number,
): ReplicationSink {
  const write = (kind: "open" | "patch" | "takeover", session: Session, isNew = false) =>
    replicatorOf(session.user.userId).writeRow(kind, appId, session, isNew);
  return {
    nodeNumber,
    canExpireSessions,
    opened: (session) =>
      // Another node may have opened a session with the same id, and be about to tell.
      isHttpSession(session.sessionId) ? write("takeover", session) : write("open", session, true),
    changed: (session) => write("patch", session),
    takenOver: (session) => write("takeover", session),
    ended(session, cause) {
      const { sessionId, user, ownership } = session;
      // A kicked session ends even if another node takes it over at this moment, and so does one of another
      // node.
      const kind = cause === "kicked" || ownership?.owner !== undefined ? "forceEnd" : "end";
      replicatorOf(user.userId).writeEnd(kind, appId, sessionId, cause);
    },
    profileChanged: (userId, profile) => replicatorOf(userId).writeProfile(appId, userId, profile),
  };
}
