import { PresenceError, violation } from "./errors.ts";
import type { Diff, Page, Users } from "./server-message.ts";
import type { LeaveCause, PresenceChange, PresenceSnapshot, PresenceValue } from "./types.ts";

type Change = { entered: string[]; updated: string[]; left: { userId: string; cause: LeaveCause }[] };

/** What a user may take on average, in characters: a page with 32 long custom fields here and there is no problem. */
const MEAN_WEIGHT = 1_024;
const SESSION_WEIGHT = 64;

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
    if (this.map.size > maxUsers || this.#weight > maxUsers * MEAN_WEIGHT) {
      throw new PresenceError("LIMIT_REACHED", `more than maxUsers (${maxUsers}) allows`);
    }
  }
}

/** The users of one filter, as the gateway's snapshots and diffs make them. Pure: it returns what changed. */
export class LiveUsers {
  /** The state that it is, to take up at after a break. */
  position: { readonly view: string; readonly version: number } | undefined;
  readonly #maxUsers: number;
  #users: BoundedUsers | undefined;
  #pages: Pages | undefined;

  constructor(maxUsers: number) {
    this.#maxUsers = maxUsers;
  }

  /** Whole, and never changed again: each change makes another. undefined before the first. */
  get snapshot(): PresenceSnapshot | undefined {
    return this.#users?.map;
  }

  /** Takes a page of a snapshot; returns what changed when it was the last, undefined before. */
  page(page: Page): PresenceChange | undefined {
    this.#pages ??= new Pages(this.#maxUsers);
    const users = this.#pages.add(page);
    if (users === undefined) return undefined;
    const change = replace(users, this.snapshot ?? new Map());
    this.#users = this.#pages.users;
    this.#move(page);
    return change;
  }

  diff(diff: Diff): PresenceChange {
    if (this.#pages !== undefined || diff.version !== this.position!.version + 1) {
      throw violation("a diff that does not follow");
    }
    const users = new BoundedUsers(this.#users);
    const change: Change = { entered: [], updated: [], left: [] };
    const { causes = {} } = diff;
    for (const [userId, value] of Object.entries(diff.data)) {
      const old = users.set(userId, value);
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

  /** The connection was lost: what has come of a snapshot will not go on. */
  interrupted(): void {
    this.#pages = undefined;
  }

  #move({ view, version }: Page | Diff): void {
    this.position = { view, version };
    this.#pages = undefined;
  }
}

/** Puts the pages of an answer together. */
export class Pages {
  readonly users = new BoundedUsers();
  readonly #maxUsers: number;

  constructor(maxUsers: number) {
    this.#maxUsers = maxUsers;
  }

  /** Returns everybody when it was the last page. */
  add({
    data,
    more,
  }: {
    readonly data: Users;
    readonly more?: boolean;
  }): Map<string, PresenceValue> | undefined {
    const { users } = this;
    const before = users.map.size;
    for (const [userId, value] of Object.entries(data)) users.set(userId, value);
    users.check(this.#maxUsers);
    if (!more) return users.map;
    // Else it could go on like this for ever.
    if (users.map.size === before) throw violation("a page that brings nothing");
    return undefined;
  }
}

/** What changed between two whole states. Puts the old objects into the new state for users who are as they were. */
function replace(users: Map<string, PresenceValue>, before: PresenceSnapshot): PresenceChange {
  const change: Change = { entered: [], updated: [], left: [] };
  for (const [userId, value] of users) {
    const old = before.get(userId);
    if (old === undefined) change.entered.push(userId);
    else if (JSON.stringify(old) === JSON.stringify(value)) users.set(userId, old);
    else change.updated.push(userId);
  }
  for (const userId of before.keys()) if (!users.has(userId)) change.left.push({ userId, cause: "unknown" });
  return change;
}

function weightOf(value: PresenceValue | null | undefined): number {
  let weight = 0;
  for (const { custom } of value ? [...value.backgroundSessions, ...value.widgets] : []) {
    weight += SESSION_WEIGHT + Object.entries(custom).join().length;
  }
  return weight;
}
