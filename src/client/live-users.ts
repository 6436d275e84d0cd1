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
  #users: UserMap | undefined;
  #pages: PageAssembler | undefined;
  /** Users who were there before the gateway was restarted, and are not back yet. */
  readonly #awaited = new Set<string>();

  constructor(maxUsers: number) {
    this.#maxUsers = maxUsers;
  }

  /** Whole, and never changed again: each change makes another. undefined before the first. */
  get snapshot(): PresenceSnapshot | undefined {
    return this.#users;
  }

  /**
   * Adds a page of a snapshot. Returns what changed if it was the last one, else undefined.
   * @param awaitsMissing Whether users who are missing stay until they are back or given up.
   */
  addPage(page: SnapshotPage, awaitsMissing = false): PresenceChange | undefined {
    this.#pages ??= new PageAssembler(this.#maxUsers);
    const users = this.#pages.add(page);
    if (!users) return undefined;
    this.#pages = undefined;
    const before = this.#users ?? users;
    const all: UserChange[] = [];
    const changes: UserChange[] = [];
    for (const [userId, value] of users) {
      const old = this.#users?.get(userId);
      // A user who did not change stays the same object.
      if (JSON.stringify(old) === JSON.stringify(value)) all.push([userId, old!]);
      else {
        all.push([userId, value]);
        changes.push([userId, value]);
      }
    }
    this.#awaited.clear();
    for (const [userId, old] of before) {
      if (users.has(userId)) continue;
      if (awaitsMissing) {
        all.push([userId, old]);
        this.#awaited.add(userId);
      } else changes.push([userId, null]);
    }
    return this.#change(new UserMap().with(all), changes, page);
  }

  /**
   * Folds a diff in, at the cost of its size. Throws a `PresenceError` if it does not follow, or brings too
   * many users.
   */
  addDiff(diff: Diff): PresenceChange {
    const { data, causes = {}, version } = diff;
    if (this.#pages || version !== this.position!.version + 1) throw protocolError("version");
    const users = bounded(this.#users!.with(Object.entries(data)), this.#maxUsers);
    return this.#change(users, Object.entries(data), diff, (userId) =>
      Object.hasOwn(causes, userId) ? causes[userId]! : "unknown",
    );
  }

  /** Users who are still missing have left. */
  timeout(): PresenceChange {
    const changes = [...this.#awaited].map((userId): UserChange => [userId, null]);
    return this.#change(this.#users!.with(changes), changes, this.position!, () => "timeout");
  }

  /** The connection is lost: the pages that have come of a snapshot are dropped. */
  lost(): void {
    this.#pages = undefined;
  }

  #change(
    users: UserMap,
    changes: readonly UserChange[],
    { view, version }: Position,
    causeOf: (userId: string) => LeaveCause = () => "unknown",
  ): PresenceChange {
    const entered: string[] = [];
    const updated: string[] = [];
    const left: { userId: string; cause: LeaveCause }[] = [];
    for (const [userId, value] of changes) {
      const isKnown = this.#users?.has(userId);
      this.#awaited.delete(userId);
      if (value) (isKnown ? updated : entered).push(userId);
      else if (isKnown) left.push({ userId, cause: causeOf(userId) });
    }
    this.#users = users;
    this.position = { view, version };
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
    const { size } = this.#users;
    this.#users = bounded(this.#users.with(Object.entries(data)), this.#maxUsers);
    if (!more) return this.#users;
    // Such pages could go on without end.
    if (this.#users.size === size) throw protocolError("data");
    return undefined;
  }
}

/** Returns the users. Throws if there are too many: a gateway gone wrong must not fill the memory. */
function bounded(users: UserMap, maxUsers: number): UserMap {
  if (users.size > maxUsers || users.weight > (maxUsers + SPARE_MEANS) * MEAN_WEIGHT)
    throw new PresenceError("LIMIT_REACHED", `more than ${maxUsers} users`);
  return users;
}
