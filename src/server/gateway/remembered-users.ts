import { LinkedMap } from "../../core/collections/linked-map.ts";

/** Forgets what is known about a user who is offline. */
export interface Forgetter {
  forget(userId: string): void;
}

/**
 * The users of all apps who are offline and about whom something is known, the longest unused first. There
 * are at most `max`: one more, and the first is forgotten.
 */
export class RememberedUsers {
  readonly #max: number;
  readonly #users = new LinkedMap<string, readonly [profiles: Forgetter, userId: string]>();

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#users.size;
  }

  /** A user is offline, and something is known about them. */
  add(appId: string, userId: string, profiles: Forgetter): void {
    const key = keyOf(appId, userId);
    this.#users.set(key, [profiles, userId]);
    this.#users.moveToEnd(key);
    while (this.#users.size > this.#max) {
      const oldest = this.#users.first!;
      this.#users.delete(oldest.key);
      const [owner, forgotten] = oldest.value;
      owner.forget(forgotten);
    }
  }

  /** A user is online, or nothing is known about them any more. */
  delete(appId: string, userId: string): void {
    this.#users.delete(keyOf(appId, userId));
  }

  /** Removes all users of one app, without telling it. */
  deleteOf(profiles: Forgetter): void {
    for (const [key, [owner]] of this.#users.entries()) if (owner === profiles) this.#users.delete(key);
  }
}

/** Ids have no control characters. */
function keyOf(appId: string, userId: string): string {
  return `${appId}\n${userId}`;
}
