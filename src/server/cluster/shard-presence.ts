import type { EndCause } from "../../protocol/codes.ts";
import type { HeldSession, RemoteSession, Tenant } from "../gateway/tenant.ts";

/** The apps of a node. */
export interface AppLookup {
  tenant(appId: string): Tenant | undefined;
  tenants(): Iterable<Tenant>;
}

/**
 * The sessions of one shard, as this node shows them. Changes go through the tenants of the apps, as all
 * changes do. `flush` has to be called once after a batch of changes.
 */
export class ShardPresence {
  readonly #apps: AppLookup;
  /** Whether the sessions of a user are in this shard. */
  readonly #belongs: (appId: string, userId: string) => boolean;
  readonly #changed = new Set<Tenant>();

  constructor(apps: AppLookup, belongs: (appId: string, userId: string) => boolean) {
    this.#apps = apps;
    this.#belongs = belongs;
  }

  serves(appId: string): boolean {
    return this.#apps.tenant(appId) !== undefined;
  }

  get(appId: string, sessionId: string): HeldSession | undefined {
    return this.#apps.tenant(appId)?.table.get(sessionId);
  }

  countSessions(appId: string, userId: string): number {
    return this.#apps.tenant(appId)?.table.user(userId)?.sessions.length ?? 0;
  }

  *all(): Generator<{ appId: string; session: HeldSession }> {
    for (const tenant of this.#apps.tenants()) {
      const appId = tenant.app.id;
      for (const session of tenant.table.all()) {
        if (this.#belongs(appId, session.user.userId)) yield { appId, session };
      }
    }
  }

  /** Shows a session as the node that owns it, or has taken it over, describes it. */
  applyRemote(appId: string, sessionId: string, remote: RemoteSession, owner: string, now: number): void {
    // A row in the log of another shard was written by a node with other settings.
    if (!this.#belongs(appId, remote.userId)) return;
    this.#change(appId)?.follow(sessionId, remote, owner, now);
  }

  applyRemoteEnd(appId: string, session: HeldSession, cause: EndCause, now: number): void {
    this.#change(appId)?.endFollowed(session, cause, now);
  }

  /** A session that this node has given up is its own after all. */
  reclaim(appId: string, session: HeldSession, now: number): void {
    this.#change(appId)?.adopt(session, now);
  }

  /** Changes the epoch of a session of this node. No view shows it. */
  setEpoch(_appId: string, session: HeldSession, epoch: number): void {
    session.origin!.term = epoch;
  }

  /** The owner of the session has left the cluster. */
  onOwnerLost(appId: string, session: HeldSession, now: number): void {
    this.#change(appId)?.orphan(session, now);
  }

  /**
   * Tells the views of all changes since the last flush. If one app fails, the others are told before this
   * throws.
   */
  flush(now: number): void {
    const errors: unknown[] = [];
    for (const tenant of this.#changed) {
      this.#changed.delete(tenant);
      try {
        tenant.settle(now);
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }

  #change(appId: string): Tenant | undefined {
    const tenant = this.#apps.tenant(appId);
    if (tenant !== undefined) this.#changed.add(tenant);
    return tenant;
  }
}
