import type { Diff, Position, ResultPage, SnapshotPage } from "../protocol/wire.ts";
import { PresenceError, protocolError } from "./errors.ts";
import { MEAN_WEIGHT, SPARE_MEANS } from "./limits.ts";
import type { LeaveCause, PresenceChange, PresenceSnapshot } from "./types.ts";
import { type UserChange, UserMap } from "./user-map.ts";

/** The users of one filter, as the gateway's snapshots and diffs make them. Pure: it returns what changed. */
export class LiveUsers {
  /** The state that the users are in, to resume from after a break. */
  position: Position | undefined;
  readonly #maxUsers: number;
  #users = new UserMap();
  #pages: PageAssembler | undefined;
  /** Users who were there before the gateway was restarted, and are not back yet. */
  readonly #awaited = new Set<string>();

  constructor(maxUsers: number) {
    this.#maxUsers = maxUsers;
  }

  /** Whole, and never changed again: each change makes another. undefined before the first. */
  get snapshot(): PresenceSnapshot | undefined {
    return this.position && this.#users;
  }

  /**
   * Adds a page of a snapshot. Returns what changed if it was the last one, else undefined.
   * @param awaitsMissing Whether users who are missing stay until they are back or given up. Users who are
   *   awaited already stay anyhow.
   */
  addPage(page: SnapshotPage, awaitsMissing = false): PresenceChange | undefined {
    this.#pages ??= new PageAssembler(this.#maxUsers);
    const users = this.#pages.add(page);
    if (!users) return undefined;
    this.lost();
    const before = this.#users;
    // A user who did not change stays the same object.
    const changes: UserChange[] = [...users].filter(
      ([userId, value]) => JSON.stringify(before.get(userId)) !== JSON.stringify(value),
    );
    for (const userId of before.keys()) {
      if (users.has(userId)) this.#awaited.delete(userId);
      else if (awaitsMissing || this.#awaited.has(userId)) this.#awaited.add(userId);
      else changes.push([userId, null]);
    }
    return this.#change(changes, page);
  }

  /**
   * Folds a diff in, at the cost of its size. Throws a `PresenceError` if it does not follow, or brings too
   * many users.
   */
  addDiff(diff: Diff): PresenceChange {
    if (this.#pages || diff.version !== this.position!.version + 1) throw protocolError("version");
    return this.#change(Object.entries(diff.data), diff, diff.causes);
  }

  /** Users who are still missing have left. Does nothing before the first snapshot. */
  timeout(): PresenceChange | undefined {
    const changes = Array.from(this.#awaited, (userId): UserChange => [userId, null]);
    return this.position && this.#change(changes, this.position, {}, "timeout");
  }

  /** The connection is lost: the pages that have come of a snapshot are dropped. */
  lost(): void {
    this.#pages = undefined;
  }

  #change(
    changes: readonly UserChange[],
    { view, version }: Position,
    causes: Diff["causes"] = {},
    otherwise: LeaveCause = "unknown",
  ): PresenceChange {
    const before = this.#users;
    const entered: string[] = [];
    const updated: string[] = [];
    const left: { userId: string; cause: LeaveCause }[] = [];
    this.#users = bounded(new UserMap(before, changes), this.#maxUsers);
    this.position = { view, version };
    for (const [userId, value] of changes) {
      const isKnown = before.has(userId);
      this.#awaited.delete(userId);
      if (value) (isKnown ? updated : entered).push(userId);
      else if (isKnown)
        left.push({ userId, cause: Object.hasOwn(causes, userId) ? causes[userId]! : otherwise });
    }
    return { entered, updated, left };
  }
}

/** Puts the pages of an answer together. */
export class PageAssembler {
  readonly #maxUsers: number;
  #users = new UserMap();

  constructor(maxUsers: number) {
    this.#maxUsers = maxUsers;
  }

  /**
   * Returns all users if it was the last page. Throws a `PresenceError` for too many users or a page that
   * adds nobody.
   */
  add({ data, more }: ResultPage): UserMap | undefined {
    const users = bounded(new UserMap(this.#users, Object.entries(data)), this.#maxUsers);
    if (!more) return users;
    // Such pages could go on without end.
    if (users.size === this.#users.size) throw protocolError("data");
    this.#users = users;
    return undefined;
  }
}

/** Returns the users. Throws if there are too many: a gateway gone wrong must not fill the memory. */
function bounded(users: UserMap, maxUsers: number): UserMap {
  if (users.size > maxUsers || users.weight > (maxUsers + SPARE_MEANS) * MEAN_WEIGHT)
    throw new PresenceError("LIMIT_REACHED", `more than ${maxUsers} users`);
  return users;
}
