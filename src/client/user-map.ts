import type { PresenceSnapshot, PresenceValue } from "./types.ts";

/** A user's new value. null: the user leaves. */
export type UserChange = readonly [userId: string, value: PresenceValue | null];

/** A change of one user, in the log of a history. */
interface Revision {
  readonly userId: string;
  /** null: the user has left. */
  readonly value: PresenceValue | null;
  /** How many changes the log had before this one. */
  readonly index: number;
  /** The change of the same user before this one. */
  readonly older: Revision | undefined;
}

/** The changes since a base, which versions that follow each other share. */
interface History {
  readonly log: Revision[];
  readonly latest: Map<string, Revision>;
  /** How much more the log may hold on to, in characters of JSON. */
  spare: number;
}

/**
 * Users in the order of a `Map`, never changed: `with` makes another version. That costs the size of the
 * change on average, whatever the number of users: versions share one base, and each knows how much of the
 * log is its own. When the values that the log replaced weigh more than the base, the next version has a base
 * of its own. So a version that somebody keeps holds on to at most about twice its size, and to nothing that
 * comes after the next base. The first iteration over a version costs its whole size.
 */
export class UserMap implements PresenceSnapshot {
  readonly size: number;
  /** Characters of JSON in all values, with fields unknown to the client. */
  readonly weight: number;
  readonly #base: PresenceSnapshot;
  readonly #history: History;
  /** How much of the log belongs to this version. */
  readonly #length: number;
  #map: PresenceSnapshot | undefined;

  constructor(
    base: PresenceSnapshot = new Map(),
    weight = 0,
    size = base.size,
    history: History = { log: [], latest: new Map(), spare: weight },
  ) {
    this.#base = base;
    this.weight = weight;
    this.size = size;
    this.#history = history;
    this.#length = history.log.length;
  }

  /** The same users but for these changes. */
  with(changes: Iterable<UserChange>): UserMap {
    let { size, weight } = this;
    const { log, latest } = this.#history;
    // Only the newest version is continued in its history.
    if (this.#length < log.length || this.#history.spare < 0)
      return new UserMap(this.#whole, weight).with(changes);
    for (const [userId, value] of changes) {
      const older = latest.get(userId);
      const old = older ? older.value : this.#base.get(userId);
      const revision = { userId, value, index: log.length, older };
      log.push(revision);
      latest.set(userId, revision);
      const oldWeight = weightOf(old);
      this.#history.spare -= oldWeight + 1;
      weight += weightOf(value) - oldWeight;
      if (value) size++;
      if (old) size--;
    }
    return new UserMap(this.#base, weight, size, this.#history);
  }

  get(userId: string): PresenceValue | undefined {
    let revision = this.#history.latest.get(userId);
    while (revision && revision.index >= this.#length) revision = revision.older;
    return revision ? (revision.value ?? undefined) : this.#base.get(userId);
  }

  has(userId: string): boolean {
    return !!this.get(userId);
  }

  entries() {
    return this.#whole.entries();
  }

  keys() {
    return this.#whole.keys();
  }

  values() {
    return this.#whole.values();
  }

  [Symbol.iterator]() {
    return this.entries();
  }

  forEach(callback: (value: PresenceValue, userId: string, map: PresenceSnapshot) => void, self?: unknown) {
    for (const [userId, value] of this) callback.call(self, value, userId, this);
  }

  get #whole(): PresenceSnapshot {
    this.#map ??= replay(new Map(this.#base), this.#history.log.slice(0, this.#length));
    return this.#map;
  }
}

function replay(map: Map<string, PresenceValue>, log: readonly Revision[]): PresenceSnapshot {
  for (const { userId, value } of log) {
    if (value) map.set(userId, value);
    else map.delete(userId);
  }
  return map;
}

function weightOf(value: PresenceValue | null | undefined): number {
  return value ? JSON.stringify(value).length : 0;
}
