import type { Diff, Position, ResultPage, SnapshotPage } from "../protocol/wire.ts";
import { PresenceError, violation } from "./errors.ts";
import type { LeaveCause, PresenceChange, PresenceSnapshot, PresenceValue } from "./types.ts";

type Change = { entered: string[]; updated: string[]; left: { userId: string; cause: LeaveCause }[] };

/** What a user may take on average, in characters of JSON. */
const MEAN_WEIGHT = 1_024;
/** As many means besides, for a few who say as much as can be said. */
const SPARE = 16_384;

/** Users with a bound for what they take: a gateway gone wrong must not fill the memory. */
class BoundedUsers {
  readonly map: Map<string, PresenceValue>;
  #weight: number;

  constructor(from?: BoundedUsers) {
    this.map = new Map(from?.map);
    this.#weight = from ? from.#weight : 0;
  }

  /** null deletes. Returns what was there. */
  set(userId: string, value: PresenceValue | null): PresenceValue | undefined {
    const old = this.map.get(userId);
    if (value === null) this.map.delete(userId);
    else this.map.set(userId, value);
    this.#weight += weightOf(value) - weightOf(old);
    return old;
  }

  check(maxUsers: number): void {
    if (this.map.size > maxUsers || this.#weight > (maxUsers + SPARE) * MEAN_WEIGHT) {
      throw new PresenceError("LIMIT_REACHED", `more than ${maxUsers} users`);
    }
  }
}

/** The users of one filter, as the gateway's snapshots and diffs make them. Pure: it returns what changed. */
export class LiveUsers {
  /** The state that it is, to take up at after a break. */
  position: Position | undefined;
  readonly #maxUsers: number;
  #users: BoundedUsers | undefined;
  #pages: Pages | undefined;
  /** Who was there before the gateway was restarted, and is not back yet. */
  #awaited = new Set<string>();

  constructor(maxUsers: number) {
    this.#maxUsers = maxUsers;
  }

  /** Whole, and never changed again: each change makes another. undefined before the first. */
  get snapshot(): PresenceSnapshot | undefined {
    return this.#users?.map;
  }

  /**
   * Takes a page of a snapshot; returns what changed when it was the last, undefined before.
   * @param awaitsMissing Whether those who are missing are kept until they are back or given up.
   */
  page(page: SnapshotPage, awaitsMissing = false): PresenceChange | undefined {
    this.#pages ??= new Pages(this.#maxUsers);
    const users = this.#pages.add(page);
    if (users === undefined) return undefined;
    const change: Change = { entered: [], updated: [], left: [] };
    const before = this.snapshot ?? new Map<string, PresenceValue>();
    for (const [userId, value] of users.map) {
      const old = before.get(userId);
      if (!old) change.entered.push(userId);
      // As before: the same object, then.
      else if (JSON.stringify(old) === JSON.stringify(value)) users.set(userId, old);
      else change.updated.push(userId);
    }
    this.#awaited.clear();
    for (const [userId, old] of before) {
      if (users.map.has(userId)) continue;
      if (awaitsMissing) {
        users.set(userId, old);
        this.#awaited.add(userId);
      } else change.left.push({ userId, cause: "unknown" });
    }
    this.#users = users;
    this.#move(page);
    return change;
  }

  diff(diff: Diff): PresenceChange {
    if (this.#pages !== undefined || diff.version !== this.position!.version + 1) {
      throw violation("a gap");
    }
    const users = new BoundedUsers(this.#users);
    const change: Change = { entered: [], updated: [], left: [] };
    const { causes = {} } = diff;
    for (const [userId, value] of Object.entries(diff.data)) {
      const old = users.set(userId, value);
      this.#awaited.delete(userId);
      if (value !== null) change[old ? "updated" : "entered"].push(userId);
      else if (old) {
        change.left.push({ userId, cause: Object.hasOwn(causes, userId) ? causes[userId]! : "unknown" });
      }
    }
    users.check(this.#maxUsers);
    this.#users = users;
    this.#move(diff);
    return change;
  }

  /** Those who did not come back have left. */
  giveUp(): PresenceChange {
    const users = new BoundedUsers(this.#users);
    const left = [...this.#awaited].map((userId) => ({ userId, cause: "timeout" as const }));
    for (const { userId } of left) users.set(userId, null);
    this.#awaited.clear();
    this.#users = users;
    return { entered: [], updated: [], left };
  }

  /** The connection was lost: what has come of a snapshot will not go on. */
  interrupted(): void {
    this.#pages = undefined;
  }

  #move({ view, version }: Position): void {
    this.position = { view, version };
    this.#pages = undefined;
  }
}

/** Puts the pages of an answer together. */
export class Pages {
  readonly #users = new BoundedUsers();
  readonly #maxUsers: number;

  constructor(maxUsers: number) {
    this.#maxUsers = maxUsers;
  }

  /** Returns everybody when it was the last page. */
  add({ data, more }: ResultPage): BoundedUsers | undefined {
    const users = this.#users;
    const before = users.map.size;
    for (const [userId, value] of Object.entries(data)) users.set(userId, value);
    users.check(this.#maxUsers);
    if (!more) return users;
    // Else it could go on like this for ever.
    if (users.map.size === before) throw violation("an empty page");
    return undefined;
  }
}

function weightOf(value: PresenceValue | null | undefined): number {
  // Of everything in it, known to us or not.
  return value ? JSON.stringify(value).length : 0;
}
