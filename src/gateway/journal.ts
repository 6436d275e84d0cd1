import type { EndCause } from "../protocol/codes.ts";
import type { HeldSession } from "./tenant.ts";

/**
 * Where a tenant writes down what this node does to sessions, for other nodes to read. A session whose origin names no owner
 * is this node's own. Calls only take note: what is told is how the session is when the note is sent.
 */
export interface Journal {
  opened(session: HeldSession): void;
  /** A session of this node's own has another state. */
  changed(session: HeldSession): void;
  /** A session that another node kept is this node's own from now on. */
  claimed(session: HeldSession): void;
  ended(session: HeldSession, cause: EndCause): void;
  /** Whether lost sessions may end: while this node does not hear of the others, they may have been resumed there. */
  mayGiveUp(now: number): boolean;
}
