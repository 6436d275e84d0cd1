import {
  isBlank,
  isSameProfile,
  NO_PROFILE,
  nextVersion,
  type Profile,
  type ProfileChange,
} from "../../core/sessions/profile.ts";
import { DEFAULT_STATUS, patchStatus, type Status } from "../../core/sessions/status.ts";
import type { DeclaredStatus, StatusPatch } from "../../protocol/wire.ts";
import type { SessionContext } from "./session-context.ts";

const WHOLE: StatusPatch = { availability: null, text: null, emoji: null, expiresInMs: null };
const MS_PER_DAY = 86_400_000;
/**
 * How long a blank profile is kept in a cluster, so that an older record of another node does not bring back
 * what was reset.
 */
export const BLANK_MS = 600_000;

/**
 * The profiles of the users of one app: changed in a transaction, like sessions. Profiles of users who are
 * offline are kept for a limited time, and only so many of them.
 */
export class Profiles {
  readonly #context: SessionContext;

  constructor(context: SessionContext) {
    this.#context = context;
  }

  /** Changes the fields of a status that the patch names. */
  declare(userId: string, patch: StatusPatch): void {
    const { status } = this.#context.table.profile(userId);
    this.#declare(userId, patchStatus(status, patch, this.#wallNow()));
  }

  /** Sets a whole status: what the patch does not name is the default again. */
  replaceStatus(userId: string, patch: StatusPatch): void {
    const given = Object.entries(patch).filter(([, value]) => value !== undefined);
    this.declare(userId, { ...WHOLE, ...Object.fromEntries(given) });
  }

  resetStatus(userId: string): void {
    this.#declare(userId, DEFAULT_STATUS);
  }

  /** Forgets a user on all nodes. */
  erase(userId: string): void {
    this.#write(userId, { status: DEFAULT_STATUS, lastSeenAt: undefined });
  }

  /** The first session of a user was opened. */
  onOnline(userId: string): void {
    const { appId, rememberedUsers, deadlines } = this.#context;
    rememberedUsers.delete(appId, userId);
    deadlines.cancelForgetting(userId);
  }

  /**
   * The last session of a user has ended. `isOwn`: on this node, which tells the others. `wasInvisible`:
   * others saw nothing of it.
   */
  onOffline(userId: string, isOwn: boolean, wasInvisible: boolean): void {
    const { keepsLastSeen, table } = this.#context;
    const before = table.profile(userId);
    const seen = keepsLastSeen && !wasInvisible ? { lastSeenAt: this.#wallNow() } : {};
    if (!isOwn) table.setProfile(userId, { ...before, ...seen });
    else if (this.#retentionMs === 0) this.erase(userId);
    // From now on it is kept for as long as users who are offline are remembered.
    else if (before !== NO_PROFILE || keepsLastSeen) this.#write(userId, seen, true);
    this.#keep(userId, this.#retentionMs);
  }

  /** Another node reports a profile, which wins against that of this node. */
  applyRemote(userId: string, profile: Profile): void {
    const { expiresAt } = profile.status;
    const isOver = expiresAt !== undefined && expiresAt <= this.#wallNow();
    this.#show(userId, isOver ? { ...profile, status: DEFAULT_STATUS } : profile);
  }

  /** The time of a status is over, by the clock of this node. Every node finds out by itself. */
  expireStatus(userId: string): void {
    const { table, deadlines, time } = this.#context;
    const profile = table.profile(userId);
    const { expiresAt } = profile.status;
    if (expiresAt === undefined) return;
    const leftMs = expiresAt - this.#wallNow();
    // The clock of the deadlines stands still while the process does.
    if (leftMs > 0) deadlines.startStatus(userId, time.now + leftMs);
    else this.#show(userId, { ...profile, status: DEFAULT_STATUS });
  }

  /** What is known about a user was kept for long enough. Nobody sees a change. */
  forget(userId: string): void {
    const { appId, table, rememberedUsers, deadlines } = this.#context;
    if (table.user(userId) !== undefined) return;
    table.forgetProfile(userId);
    rememberedUsers.delete(appId, userId);
    deadlines.cancelForgetting(userId);
    deadlines.cancelStatus(userId);
  }

  #declare(userId: string, status: Status): void {
    const { keepsLastSeen, table } = this.#context;
    const user = table.user(userId);
    const hides = status.availability === "invisible" && user?.isInvisible === false;
    this.#write(userId, keepsLastSeen && hides ? { status, lastSeenAt: this.#wallNow() } : { status });
  }

  /** `always`: also if the change changes nothing, so that the profile counts as new. */
  #write(userId: string, change: ProfileChange, always = false): void {
    const { table, replicationSink } = this.#context;
    const before = table.profile(userId);
    const version = nextVersion(before.version, this.#wallNow(), replicationSink?.nodeNumber ?? 0);
    const profile = { ...before, ...change, version };
    if (!always && isSameProfile(before, profile)) return;
    this.#show(userId, profile);
    replicationSink?.profileChanged(userId, profile);
  }

  #show(userId: string, profile: Profile): void {
    const { table, deadlines, time, views } = this.#context;
    const { expiresAt } = profile.status;
    const change = table.setProfile(userId, profile);
    if (expiresAt === undefined) deadlines.cancelStatus(userId);
    else deadlines.startStatus(userId, time.now + Math.max(0, expiresAt - this.#wallNow()));
    if (change !== undefined) views.markDirty(change, time.now);
    // Without retention, a status that is declared for a user without a session waits for one.
    if (table.user(userId) === undefined) this.#keep(userId, this.#retentionMs || Number.POSITIVE_INFINITY);
  }

  /**
   * A user is offline: what is known about them is kept for `ms` milliseconds, or until there are too many
   * such users.
   */
  #keep(userId: string, ms: number): void {
    const { appId, table, rememberedUsers, replicationSink, deadlines, time } = this.#context;
    const profile = table.profile(userId);
    if (profile === NO_PROFILE) return;
    const blankMs = replicationSink === undefined ? 0 : BLANK_MS;
    const keptMs = isBlank(profile) ? Math.min(ms, blankMs) : ms;
    if (keptMs === 0) return this.forget(userId);
    if (keptMs < Number.POSITIVE_INFINITY) deadlines.startForgetting(userId, time.now + keptMs);
    rememberedUsers.add(appId, userId, this);
  }

  get #retentionMs(): number {
    return this.#context.limits.userRetentionDays * MS_PER_DAY;
  }

  #wallNow(): number {
    return Math.floor(this.#context.clock.wallNow());
  }
}

/** A status as clients get it, without absent fields. */
export function describeStatus({ availability, text, emoji, expiresAt }: Status): DeclaredStatus {
  return {
    availability,
    ...(text !== undefined && { text }),
    ...(emoji !== undefined && { emoji }),
    ...(expiresAt !== undefined && { expiresAt }),
  };
}
