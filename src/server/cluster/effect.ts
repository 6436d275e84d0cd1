import type { Profile } from "../../core/sessions/profile.ts";
import type { RemoteSession, Session } from "../../core/sessions/session.ts";
import type { EndCause } from "../../protocol/codes.ts";
import type { ResyncReason } from "./reader.ts";

interface OfSession {
  readonly appId: string;
  readonly session: Session;
}

interface OfSessionId {
  readonly appId: string;
  readonly sessionId: string;
}

interface OfUser {
  readonly appId: string;
  readonly userId: string;
  readonly profile: Profile;
}

/** The outcome of a decision, see decisions.ts. `EffectApplier` carries it out. */
export type Effect =
  // On the sessions that this node shows.
  /** Shows a session as its owner describes it. A socket of this node that held the session loses it. */
  | ({ readonly do: "applyRow"; readonly remote: RemoteSession; readonly owner: string } & OfSessionId)
  /** Ends a session that another node has ended. */
  | ({ readonly do: "applyEnd"; readonly cause: EndCause } & OfSession)
  /** Stops showing a session that has no row any more. */
  | ({ readonly do: "removeRow"; readonly cause: EndCause } & OfSession)
  /** Makes this node the owner again of a session that it had given up. */
  | ({ readonly do: "reclaim" } & OfSession)
  /** The session's owner has left the cluster: the session waits to be resumed anywhere. */
  | ({ readonly do: "ownerLost" } & OfSession)
  /** Shows what another node says about a user. */
  | ({ readonly do: "applyProfile" } & OfUser)
  // On the log.
  /** Writes what this node knows about a user. */
  | ({ readonly do: "writeProfile" } & OfUser)
  /** Writes again how a session of this node is. */
  | ({ readonly do: "writeAgain"; readonly kind: "open" | "takeover" } & OfSession)
  /** Gives a session of this node a higher epoch and writes the takeover again. */
  | ({ readonly do: "outbid"; readonly epoch: number } & OfSession)
  /** Writes the end of a session that this node does not have. */
  | ({ readonly do: "writeEnd" } & OfSessionId)
  /** Writes the end of a session whose owner has left and which no node took over in time. */
  | ({ readonly do: "expire" } & OfSessionId)
  // On what is still open.
  /** Keeps back a row whose session has ended as far as this node knows: the log may have gone back. */
  | { readonly do: "quarantine"; readonly sessionId: string }
  /** Remembers a row of this node whose session this node does not have. */
  | ({ readonly do: "missSession" } & OfSessionId)
  /** Remembers a session of another node that has no row. */
  | ({ readonly do: "missRow" } & OfSessionId)
  /** Reads all rows again. */
  | { readonly do: "reload"; readonly reason: ResyncReason }
  /** Counts a record that no node with the same version and settings can have written. */
  | { readonly do: "reject" }
  | { readonly do: "ignore" };
