import type { RemoteSession, Session } from "../../core/sessions/session.ts";
import type { EndCause } from "../../protocol/codes.ts";
import { isHttpSession } from "./http-session-id.ts";
import type { Profiles } from "./profiles.ts";
import type { SessionContext } from "./session-context.ts";

/** Applies what other nodes do to the sessions of one app, and the loss of those nodes. */
export class ReplicatedSessions {
  readonly #context: SessionContext;
  readonly #profiles: Profiles;
  readonly #markDisconnected: (session: Session) => void;

  constructor(context: SessionContext, profiles: Profiles, markDisconnected: (session: Session) => void) {
    this.#context = context;
    this.#profiles = profiles;
    this.#markDisconnected = markDisconnected;
  }

  /**
   * Another node reports a session that it owns. If a socket of this node held the session, that node has
   * taken it over.
   */
  applyRemote(sessionId: string, remote: RemoteSession, owner: string): void {
    const { table, time, views } = this.#context;
    const { userId, kind, opened, epoch, lostAt, state } = remote;
    const { now } = time;
    let session = table.get(sessionId);
    if (session !== undefined && isAnother(session, remote)) {
      // One that is written over HTTP has ended, and was opened again, before this node heard of it.
      this.#release(session);
      views.markDirty(table.end(session, "closed"), now);
      session = undefined;
    }
    if (session === undefined) {
      const ownership = { opened, owner, epoch, lostAt };
      if (table.user(userId) === undefined) this.#profiles.onOnline(userId);
      views.markDirty(table.open(sessionId, userId, kind, state, undefined, ownership), now);
      return;
    }
    const { user, ownership, connection } = session;
    if (user.userId !== userId || session.kind !== kind || ownership === undefined) return;
    const hasMoved = ownership.owner !== owner;
    if (hasMoved) this.#release(session);
    table.setOwner(session, owner, epoch, lostAt);
    if (hasMoved) connection?.onSessionTaken(session, "replaced");
    const change = table.update(session, state);
    if (change !== undefined) views.markDirty(change, now);
  }

  /** Another node reports that a session has ended. */
  applyRemoteEnd(session: Session, cause: EndCause): void {
    const { table, time, views } = this.#context;
    const { now } = time;
    const { connection } = session;
    this.#release(session);
    views.markDirty(table.end(session, cause), now);
    // The node that has ended it writes what becomes of the profile. A lost node cannot, so all others do.
    if (session.user.sessions.length === 0) this.#profiles.onOffline(session, cause === "node-lost");
    connection?.onSessionTaken(session, cause === "kicked" ? "kicked" : "replaced");
  }

  /** This node owns a session again that it had lost. The session waits to be resumed. */
  reclaim(session: Session): void {
    const { table, deadlines, time } = this.#context;
    const { ownership } = session;
    if (ownership === undefined) return;
    table.setOwner(session, undefined, ownership.epoch, ownership.lostAt);
    if (session.isTyping) deadlines.startTyping(session, time.now);
    this.#markDisconnected(session);
  }

  /** The owner of a session was lost. If the user is typing, this node now ends that in time. */
  onOwnerLost(session: Session): void {
    const { table, clock, deadlines, time } = this.#context;
    const { ownership } = session;
    if (ownership !== undefined) {
      const lostAt = ownership.lostAt ?? Math.floor(clock.wallNow());
      table.setOwner(session, ownership.owner, ownership.epoch, lostAt);
    }
    if (session.isTyping) deadlines.startTyping(session, time.now);
  }

  /** Sets the epoch of a session. No view sees a change. */
  setEpoch(session: Session, epoch: number): void {
    const { ownership } = session;
    if (ownership !== undefined)
      this.#context.table.setOwner(session, ownership.owner, epoch, ownership.lostAt);
  }

  /** Removes the connection and all deadlines of a session. */
  #release(session: Session): void {
    this.#context.table.detach(session);
    this.#context.deadlines.delete(session);
  }
}

/** Whether a session that is written over HTTP is a later one of the same id. */
function isAnother({ sessionId, user, kind, ownership }: Session, remote: RemoteSession): boolean {
  if (!isHttpSession(sessionId) || user.userId !== remote.userId) return false;
  return ownership?.opened !== remote.opened || kind !== remote.kind;
}
