import {
  isBlank,
  isSameProfile,
  NO_PROFILE,
  nextVersion,
  type Profile,
  type ProfileChange,
  versionAfter,
} from "../../core/sessions/profile.ts";
import type { Session } from "../../core/sessions/session.ts";
import { DEFAULT_STATUS, patchStatus, type Status } from "../../core/sessions/status.ts";
import type { DeclaredStatus, StatusPatch } from "../../protocol/wire.ts";
import type { SessionContext } from "./session-context.ts";

const WHOLE: StatusPatch = { availability: null, text: null, emoji: null, expiresInMs: null };
const BLANK: ProfileChange = { status: DEFAULT_STATUS, lastSeenAt: undefined };
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
    if (Object.values(patch).every((value) => value === undefined)) return;
    this.#declare(userId, patchStatus(this.statusOf(userId), patch, this.#wallNow()));
  }

  /** What a user has declared, unless its time is over. */
  statusOf(userId: string): Status {
    const { status } = this.#context.table.profile(userId);
    const { expiresAt } = status;
    return expiresAt !== undefined && expiresAt <= this.#wallNow() ? DEFAULT_STATUS : status;
  }

  /** Sets a whole status: what the patch does not name is the default again. */
  replaceStatus(userId: string, patch: StatusPatch): void {
    const given = Object.entries(patch).filter(([, value]) => value !== undefined);
    this.declare(userId, { ...WHOLE, ...Object.fromEntries(given) });
  }

  resetStatus(userId: string): void {
    this.#declare(userId, DEFAULT_STATUS);
  }

  /** Forgets a user on all nodes: also where another node knows more than this one. */
  erase(userId: string): void {
    this.#write(userId, BLANK, { always: true });
  }

  /** The app is served no longer. */
  forgetAll(): void {
    this.#context.rememberedUsers.deleteOf(this);
  }

  /** The first session of a user was opened. */
  onOnline(userId: string): void {
    const { appId, table, rememberedUsers, deadlines } = this.#context;
    // Nothing is known about most users, so there is nothing to forget.
    if (table.profile(userId) === NO_PROFILE) return;
    rememberedUsers.delete(appId, userId);
    deadlines.cancelForgetting(userId);
  }

  /**
   * The last session of a user has ended. `isOwn`: this node tells the others.
   *
   * The user may have declared something on another node, of which this node has not heard. So this change
   * counts as made right after the last one that this node has heard of, and loses against that one.
   */
  onOffline({ user }: Session, isOwn: boolean): void {
    const { table } = this.#context;
    const { userId, isInvisible } = user;
    const before = table.profile(userId);
    const isSeen = this.#keepsLastSeen && !isInvisible;
    const seen = isSeen ? { lastSeenAt: this.#wallNow() } : {};
    const version = versionAfter(before.version);
    if (isOwn && this.#retentionMs === 0) this.#write(userId, BLANK, { version });
    // From now on it is kept for as long as users who are offline are remembered.
    else if (isOwn && (isSeen || !isBlank(before))) this.#write(userId, seen, { version, always: true });
    else if (!isBlank(before)) {
      table.setProfile(userId, { ...before, ...seen, usedAt: this.#wallNow() });
    }
    this.#keep(userId);
  }

  /** Another node reports a profile, which wins against that of this node. */
  applyRemote(userId: string, profile: Profile): void {
    const { expiresAt } = profile.status;
    const isOver = expiresAt !== undefined && expiresAt <= this.#wallNow();
    this.#show(userId, isOver ? { ...profile, status: DEFAULT_STATUS } : profile);
    this.#keep(userId);
  }

  /** The time of a status is over, by the clock of this node. Every node finds out by itself. */
  expireStatus(userId: string): void {
    const { table, deadlines, time } = this.#context;
    const profile = table.profile(userId);
    const { expiresAt } = profile.status;
    if (expiresAt === undefined) return;
    const leftMs = expiresAt - this.#wallNow();
    // The clock of the deadlines stands still while the process does.
    if (leftMs > 0) return deadlines.startStatus(userId, time.now + leftMs);
    const after = { ...profile, status: DEFAULT_STATUS };
    this.#show(userId, after);
    if (isBlank(after)) this.#keep(userId);
  }

  /** When others last saw a user; undefined: they see the user now, or it is not known any more. */
  lastSeenAt(userId: string): number | undefined {
    const { table } = this.#context;
    const user = table.user(userId);
    const { lastSeenAt } = table.profile(userId);
    if (lastSeenAt === undefined || user?.isInvisible === false) return undefined;
    // An invisible user is forgotten like one who is offline.
    return lastSeenAt + this.#retentionMs > this.#wallNow() ? lastSeenAt : undefined;
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

  /**
   * In a cluster, what this node has shown all the time is written too: another node may show something else
   * by now, of which this one has not heard, and what is declared last wins.
   */
  #declare(userId: string, status: Status): void {
    const { table, replicationSink } = this.#context;
    const hides = status.availability === "invisible" && table.user(userId)?.isInvisible === false;
    const change = hides && this.#keepsLastSeen ? { status, lastSeenAt: this.#wallNow() } : { status };
    this.#write(userId, change, { always: replicationSink !== undefined });
  }

  /**
   * `version`: without one, the change is made now. `always`: also if the change changes nothing, so that the
   * profile is kept from now on.
   */
  #write(userId: string, change: ProfileChange, options: { version?: number; always?: boolean } = {}): void {
    const { table, replicationSink } = this.#context;
    const before = table.profile(userId);
    const now = this.#wallNow();
    const { version = nextVersion(before.version, now, replicationSink?.nodeNumber ?? 0), always } = options;
    const profile = { ...before, ...change, version, usedAt: now };
    if (always !== true && isSameProfile(before, profile)) return;
    this.#show(userId, profile);
    this.#keep(userId);
    replicationSink?.profileChanged(userId, profile);
  }

  #show(userId: string, profile: Profile): void {
    const { table, deadlines, time, views } = this.#context;
    const { expiresAt } = profile.status;
    const change = table.setProfile(userId, profile);
    if (expiresAt === undefined) deadlines.cancelStatus(userId);
    else deadlines.startStatus(userId, time.now + Math.max(0, expiresAt - this.#wallNow()));
    if (change !== undefined) views.markDirty(change, time.now);
  }

  /**
   * If the user is offline, what is known about them is kept for a time after it was used, or until there are
   * too many such users.
   */
  #keep(userId: string): void {
    const { appId, table, rememberedUsers, replicationSink, deadlines, time } = this.#context;
    const profile = table.profile(userId);
    if (profile === NO_PROFILE || table.user(userId) !== undefined) return;
    const blankMs = replicationSink === undefined ? 0 : BLANK_MS;
    // Without retention, a status that is declared for a user without a session waits for one.
    const keptMs = isBlank(profile) ? blankMs : this.#retentionMs || Number.POSITIVE_INFINITY;
    const leftMs = profile.usedAt + keptMs - this.#wallNow();
    if (leftMs <= 0) return this.forget(userId);
    if (leftMs < Number.POSITIVE_INFINITY) deadlines.startForgetting(userId, time.now + leftMs);
    rememberedUsers.add(appId, userId, this);
  }

  /** Without retention it is never kept, not even for invisible users, who would differ from others by it. */
  get #keepsLastSeen(): boolean {
    return this.#context.keepsLastSeen() && this.#retentionMs > 0;
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
