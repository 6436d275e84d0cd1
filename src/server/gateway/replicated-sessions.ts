import type { RemoteSession, Session } from "../../core/sessions/session.ts";
import type { EndCause } from "../../protocol/codes.ts";
import type { SessionContext } from "./session-context.ts";

/** What other nodes do to the sessions of one app, and what their end means for sessions here. */
export class ReplicatedSessions {
  readonly #context: SessionContext;
  readonly #markDisconnected: (session: Session) => void;

  constructor(context: SessionContext, markDisconnected: (session: Session) => void) {
    this.#context = context;
    this.#markDisconnected = markDisconnected;
  }

  /** Another node describes a session that it owns. One that was held here has been taken over there. */
  applyRemote(sessionId: string, remote: RemoteSession, owner: string): void {
    const { table, time, views } = this.#context;
    const { userId, kind, opened, epoch, lostAt, state } = remote;
    const { now } = time;
    const session = table.get(sessionId);
    if (session === undefined) {
      const ownership = { opened, owner, epoch, lostAt };
      views.markDirty(table.open(sessionId, userId, kind, state, undefined, ownership), now);
      return;
    }
    const { user, ownership, connection } = session;
    if (user.userId !== userId || session.kind !== kind || ownership === undefined) return;
    const hasMoved = ownership.owner !== owner;
    if (hasMoved) this.#release(session);
    table.setOwner(session, owner, epoch, lostAt);
    if (hasMoved) connection?.onSessionLost(session, "replaced");
    const change = table.update(session, state);
    if (change !== undefined) views.markDirty(change, now);
  }

  /** Another node says that a session has ended. */
  applyRemoteEnd(session: Session, cause: EndCause): void {
    const { table, time, views } = this.#context;
    const { now } = time;
    const { connection } = session;
    this.#release(session);
    views.markDirty(table.end(session, cause), now);
    connection?.onSessionLost(session, cause === "kicked" ? "kicked" : "replaced");
  }

  /** A session that was given up is this node's own after all, and waits to be resumed. */
  reclaim(session: Session): void {
    const { table, deadlines, time } = this.#context;
    const { ownership } = session;
    if (ownership === undefined) return;
    table.setOwner(session, undefined, ownership.epoch, ownership.lostAt);
    if (session.isTyping) deadlines.startTyping(session, time.now);
    this.#markDisconnected(session);
  }

  /** The owner of a session is no more: if its user types, nobody else will say when that ends. */
  onOwnerLost(session: Session): void {
    const { table, clock, deadlines, time } = this.#context;
    const { ownership } = session;
    if (ownership !== undefined) {
      const lostAt = ownership.lostAt ?? Math.floor(clock.wallNow());
      table.setOwner(session, ownership.owner, ownership.epoch, lostAt);
    }
    if (session.isTyping) deadlines.startTyping(session, time.now);
  }

  /** This node's last takeover of a session counts as that of another epoch. Nobody sees a change. */
  setEpoch(session: Session, epoch: number): void {
    const { ownership } = session;
    if (ownership !== undefined)
      this.#context.table.setOwner(session, ownership.owner, epoch, ownership.lostAt);
  }

  /** No connection holds the session here any more, and no time is measured for it. */
  #release(session: Session): void {
    this.#context.table.detach(session);
    this.#context.deadlines.delete(session);
  }
}
