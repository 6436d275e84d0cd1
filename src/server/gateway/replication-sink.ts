import type { Session } from "../../core/sessions/session.ts";
import type { EndCause } from "../../protocol/codes.ts";

/**
 * Where a app writes down what this node does to sessions, for other nodes to read. A session whose origin
 * names no owner is this node's own. Calls only take note: what is told is how the session is when the note
 * is sent.
 */
export interface ReplicationSink {
  opened(session: Session): void;
  /** A session of this node's own has another state. */
  changed(session: Session): void;
  /** A session that another node kept is this node's own from now on. */
  takenOver(session: Session): void;
  ended(session: Session, cause: EndCause): void;
  /**
   * Whether lost sessions may end: while this node does not hear of the others, they may have been resumed
   * there.
   */
  canExpireSessions(now: number): boolean;
}

/** The other nodes, as far as a node has to know of them. */
export interface Replication {
  sinkOf(appId: string): ReplicationSink;
  /** Whether this node has shown the sessions of all nodes at least once. */
  readonly isReady: boolean;
  /** Whether it cannot tell now that it does. */
  readonly isDegraded: boolean;
}
