import { PresenceError, violation } from "./errors.ts";
import type { Diff, Entries, Page } from "./server-message.ts";
import type { LeaveCause, PresenceChange, PresenceSnapshot, PresenceValue } from "./types.ts";

type Change = { entered: string[]; updated: string[]; left: { userId: string; cause: LeaveCause }[] };

/** What a user may take on average, in characters: a page with 32 long custom fields here and there is no problem. */
const MEAN_WEIGHT = 1_024;
const SESSION_WEIGHT = 64;

/** The users of one filter, as the gateway's snapshots and diffs make them. Pure: it returns what changed. */
export class LiveUsers {
  /** Whole, and never changed again: each change makes another. undefined: before the first snapshot. */
  snapshot: PresenceSnapshot | undefined;
  /** The state that it is, to take up at after a break. */
  position: { readonly view: string; readonly version: number } | undefined;
  readonly #pages: Pages;
  #weight = 0;

  /** @param maxUsers More are an error: a gateway gone wrong must not fill the memory. */
  constructor(maxUsers: number) {
    this.#pages = new Pages(maxUsers);
  }

  /** Takes a page of a snapshot; returns what changed when it was the last, undefined before. */
  page({ view, version, entries, more }: Page): PresenceChange | undefined {
    const all = this.#pages.add(entries, more);
    if (all === undefined) return undefined;
    const change = replace(all.users, this.snapshot ?? new Map());
    this.snapshot = all.users;
    this.#weight = all.weight;
    this.position = { view, version };
    return change;
  }

  diff({ view, version, entries, causeOf }: Diff): PresenceChange {
    if (this.snapshot === undefined || this.#pages.isAwaited) {
      throw violation("a diff before the end of its snapshot");
    }
    if (version !== this.position!.version + 1) throw violation("a version was left out");
    const users = new Map(this.snapshot);
    const change: Change = { entered: [], updated: [], left: [] };
    for (const [userId, value] of entries) {
      const old = users.get(userId);
      this.#weight += weightOf(value) - weightOf(old);
      if (value !== null) {
        users.set(userId, value);
        change[old === undefined ? "entered" : "updated"].push(userId);
      } else if (users.delete(userId)) {
        change.left.push({ userId, cause: causeOf(userId) });
      }
    }
    this.#pages.check(users, this.#weight);
    this.snapshot = users;
    this.position = { view, version };
    return change;
  }

  /** The connection was lost: what has come of a snapshot will not go on. */
  interrupted(): void {
    this.#pages.clear();
  }
}

/** Puts the pages of an answer together. */
export class Pages {
  readonly #maxUsers: number;
  #users: Map<string, PresenceValue> | undefined;
  #weight = 0;

  constructor(maxUsers: number) {
    this.#maxUsers = maxUsers;
  }

  /** Whether some have come, and more must follow. */
  get isAwaited(): boolean {
    return this.#users !== undefined;
  }

  /** Returns everybody when it was the last page. */
  add(entries: Entries, more: boolean): { users: Map<string, PresenceValue>; weight: number } | undefined {
    this.#users ??= new Map();
    const users = this.#users;
    const before = users.size;
    for (const [userId, value] of entries) {
      this.#weight += weightOf(value) - weightOf(users.get(userId));
      users.set(userId, value!);
    }
    const weight = this.#weight;
    this.check(users, weight);
    // Else it could go on like this for ever.
    if (more && users.size === before) throw violation("a page that brings nothing");
    if (more) return undefined;
    this.clear();
    return { users, weight };
  }

  check({ size }: PresenceSnapshot, weight: number): void {
    if (size > this.#maxUsers || weight > this.#maxUsers * MEAN_WEIGHT) {
      throw new PresenceError("LIMIT_REACHED", `more than maxUsers (${this.#maxUsers}) allows`);
    }
  }

  clear(): void {
    this.#users = undefined;
    this.#weight = 0;
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
    weight += SESSION_WEIGHT;
    for (const key in custom) weight += key.length + custom[key]!.length;
  }
  return weight;
}
