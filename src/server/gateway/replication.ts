import type { Profile } from "../../core/sessions/profile.ts";
import type { Session } from "../../core/sessions/session.ts";
import type { EndCause } from "../../protocol/codes.ts";

/**
 * Replicates what this node does to the sessions of an app. A session whose ownership names no owner belongs
 * to this node. The calls only mark sessions for writing: other nodes get the state that a session has when
 * it is written.
 */
export interface ReplicationSink {
  /** Tells this node from the others in versions of profiles; see `nextVersion`. */
  readonly nodeNumber: number;
  opened(session: Session): void;
  /** The state of a session that this node owns has changed. */
  changed(session: Session): void;
  /** This node has taken a session over, from another node or from another of its own connections. */
  takenOver(session: Session): void;
  ended(session: Session, cause: EndCause): void;
  /** This node has changed the profile of a user. */
  profileChanged(userId: string, profile: Profile): void;
  /**
   * Whether disconnected sessions may end. While this node does not hear of the others, the sessions may have
   * been resumed there.
   */
  canExpireSessions(now: number): boolean;
}

/** Whether a node does what only one node of a cluster has to do. */
export interface LeaderState {
  /** Counts the times that the node began to; undefined: another node does it, or none. */
  readonly term: number | undefined;
  /** Until when another node may do it too, as far as this node knows. */
  readonly rivalUntil: number;
}

/** What a node needs to know of the cluster. */
export interface Replication {
  sinkOf(appId: string): ReplicationSink;
  /** Whether this node has shown the sessions of all nodes at least once. */
  readonly isReady: boolean;
  /** Whether this node may not be showing the sessions of all nodes now. */
  readonly isDegraded: boolean;
  /**
   * Names the table of an app that all nodes share; undefined while this node may not show what the others
   * show. Another name means that the sessions before may be missing.
   */
  tableIdOf(appId: string): string | undefined;
  /** Undefined before this node has shown the sessions of all nodes. */
  leadershipOf(appId: string): LeaderState | undefined;
}
