import { NO_PROFILE, type Profile } from "../../core/sessions/profile.ts";
import type { RemoteSession, Session } from "../../core/sessions/session.ts";
import type { EndCause } from "../../protocol/codes.ts";
import type { AppPresence } from "../gateway/app-presence.ts";
import type { FlushBatch } from "../gateway/flush-batch.ts";
import type { SessionLife } from "../gateway/session-life.ts";

/** The apps of a node. */
export interface AppLookup {
  presence(appId: string): AppPresence | undefined;
  presences(): Iterable<AppPresence>;
}

/**
 * The sessions of one shard, as this node shows them. Changes go through the presence of each app, inside
 * `transact`, which marks the views.
 */
export class ShardPresence {
  readonly #apps: AppLookup;
  /** Whether the sessions of a user are in this shard. */
  readonly #belongs: (appId: string, userId: string) => boolean;
  readonly #batch: FlushBatch;

  /** `batch`: the node's. */
  constructor(apps: AppLookup, belongs: (appId: string, userId: string) => boolean, batch: FlushBatch) {
    this.#apps = apps;
    this.#belongs = belongs;
    this.#batch = batch;
  }

  serves(appId: string): boolean {
    return this.#apps.presence(appId) !== undefined;
  }

  get(appId: string, sessionId: string): Session | undefined {
    return this.#apps.presence(appId)?.table.get(sessionId);
  }

  countSessions(appId: string, userId: string): number {
    return this.#apps.presence(appId)?.table.user(userId)?.sessions.length ?? 0;
  }

  *all(): Generator<{ appId: string; session: Session }> {
    for (const presence of this.#apps.presences()) {
      const appId = presence.app.id;
      for (const session of presence.table.all()) {
        if (this.#belongs(appId, session.user.userId)) yield { appId, session };
      }
    }
  }

  /** What this node knows about the users of this shard. */
  *profiles(): Generator<{ appId: string; userId: string; profile: Profile }> {
    for (const presence of this.#apps.presences()) {
      const appId = presence.app.id;
      for (const [userId, profile] of presence.table.profiles) {
        if (this.#belongs(appId, userId)) yield { appId, userId, profile };
      }
    }
  }

  profile(appId: string, userId: string): Profile {
    return this.#apps.presence(appId)?.table.profile(userId) ?? NO_PROFILE;
  }

  applyProfile(appId: string, userId: string, profile: Profile, now: number): void {
    if (!this.#belongs(appId, userId)) return;
    this.#change(appId, now, ({ profiles }) => profiles.applyRemote(userId, profile));
  }

  /** Shows a session as the node that owns it, or has taken it over, describes it. */
  applyRemote(appId: string, sessionId: string, remote: RemoteSession, owner: string, now: number): void {
    // A row in the log of another shard was written by a node with other settings.
    if (!this.#belongs(appId, remote.userId)) return;
    this.#change(appId, now, ({ replicated }) => replicated.applyRemote(sessionId, remote, owner));
  }

  applyRemoteEnd(appId: string, session: Session, cause: EndCause, now: number): void {
    this.#change(appId, now, ({ replicated }) => replicated.applyRemoteEnd(session, cause));
  }

  /** A session that this node has given up is its own after all. */
  reclaim(appId: string, session: Session, now: number): void {
    this.#change(appId, now, ({ replicated }) => replicated.reclaim(session));
  }

  /** Changes the epoch of a session of this node. No view shows it. */
  setEpoch(appId: string, session: Session, epoch: number, now: number): void {
    this.#change(appId, now, ({ replicated }) => replicated.setEpoch(session, epoch));
  }

  /** The owner of the session has left the cluster. */
  onOwnerLost(appId: string, session: Session, now: number): void {
    this.#change(appId, now, ({ replicated }) => replicated.onOwnerLost(session));
  }

  /**
   * Does everything in `act`, then tells the views of each app of its changes, once, at the time that `now`
   * has then. If one app fails, the others are told before this throws.
   */
  transact(now: () => number, act: () => void): void {
    this.#batch.run(now, act);
  }

  #change(appId: string, now: number, act: (sessions: SessionLife) => void): void {
    this.#apps.presence(appId)?.transact(now, act);
  }
}
