import type { EndCause } from "../../protocol/codes.ts";
import type { Journal } from "../gateway/journal.ts";
import type { HeldSession, RemoteSession, Tenant } from "../gateway/tenant.ts";
import type { Replicator } from "./replicator.ts";
import type { Tables } from "./tables.ts";

/** The tables of a node's tenants, which is what a hub has. */
export interface AppLookup {
  tenant(appId: string): Tenant | undefined;
  tenants(): Iterable<Tenant>;
}

/** Writes through the tenants, as everything that writes to their tables does. */
export class ShardPresence implements Tables {
  readonly #tenants: AppLookup;
  /** Whether the sessions of a user belong to the log that these tables are for. */
  readonly #belongs: (appId: string, userId: string) => boolean;
  readonly #touched = new Set<Tenant>();

  constructor(tenants: AppLookup, belongs: (appId: string, userId: string) => boolean) {
    this.#tenants = tenants;
    this.#belongs = belongs;
  }

  serves(appId: string): boolean {
    return this.#tenants.tenant(appId) !== undefined;
  }

  get(appId: string, sessionId: string): HeldSession | undefined {
    return this.#tenants.tenant(appId)?.table.get(sessionId);
  }

  countSessions(appId: string, userId: string): number {
    return this.#tenants.tenant(appId)?.table.user(userId)?.sessions.length ?? 0;
  }

  *all(): Generator<{ appId: string; session: HeldSession }> {
    for (const tenant of this.#tenants.tenants()) {
      const appId = tenant.app.id;
      for (const session of tenant.table.all()) {
        if (this.#belongs(appId, session.user.userId)) yield { appId, session };
      }
    }
  }

  applyRemote(appId: string, sessionId: string, remote: RemoteSession, owner: string, now: number): void {
    // What stands in another log than it should: no node that has the same settings wrote it.
    if (!this.#belongs(appId, remote.userId)) return;
    this.#touch(appId)?.follow(sessionId, remote, owner, now);
  }

  applyRemoteEnd(appId: string, session: HeldSession, cause: EndCause, now: number): void {
    this.#touch(appId)?.endFollowed(session, cause, now);
  }

  reclaim(appId: string, session: HeldSession, now: number): void {
    this.#touch(appId)?.adopt(session, now);
  }

  onOwnerLost(appId: string, session: HeldSession, now: number): void {
    this.#touch(appId)?.orphan(session, now);
  }

  /** Shows what was written since the last time. Where that fails in one app, the others are served before it is told. */
  flush(now: number): void {
    const errors: unknown[] = [];
    for (const tenant of this.#touched) {
      this.#touched.delete(tenant);
      try {
        tenant.settle(now);
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }

  #touch(appId: string): Tenant | undefined {
    const tenant = this.#tenants.tenant(appId);
    if (tenant !== undefined) this.#touched.add(tenant);
    return tenant;
  }
}

/** What a tenant does, told to the replicator of the log that the user belongs to. */
export function createReplicationSink(
  appId: string,
  replicatorOf: (userId: string) => Replicator,
  mayGiveUp: (now: number) => boolean,
): Journal {
  const note = (kind: "open" | "patch" | "takeover", session: HeldSession) =>
    replicatorOf(session.user.userId).note(kind, appId, session);
  return {
    mayGiveUp,
    opened: (session) => replicatorOf(session.user.userId).note("open", appId, session, true),
    changed: (session) => note("patch", session),
    claimed: (session) => note("takeover", session),
    ended(session, cause) {
      const { sessionId, user, origin } = session;
      // Whoever is kicked goes, also one who was taken over at this moment; and so does what is not ours.
      const kind = cause === "kicked" || origin?.owner !== undefined ? "forceEnd" : "end";
      replicatorOf(user.userId).noteEnd(kind, appId, sessionId, cause);
    },
  };
}
