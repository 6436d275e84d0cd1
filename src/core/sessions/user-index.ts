import { type HashKey, keyedHash } from "../collections/keyed-hash.ts";
import type { User } from "./session.ts";

/** The users of a list of ids, found some at a time. */
export interface UserLookUp<Row extends User = User> {
  /** The ids of the list, each once, in their order. */
  readonly userIds: readonly string[];
  /** The users who have the ids from `from` to before `to` now; undefined for one who is not there. */
  users(from: number, to: number): readonly (Row | undefined)[];
}

const MIN_SLOTS = 16;

/**
 * Users by id. Finds thousands of ids among a million users at a fraction of the cost of a `Map`: nearly all
 * of that cost is waiting for memory, and `lookUp` reads the memory of many users at the same time.
 *
 * An open hash table with linear probing. The hashes are stored apart from the users, so that an id that is
 * not there costs one access to memory in nearly all cases.
 */
export class UserIndex<Row extends User> {
  readonly #key: HashKey;
  /** By slot; 0: the slot is free. A power of two, of which at most 5/8 are taken. */
  #hashes = new Int32Array(MIN_SLOTS);
  #users: (Row | undefined)[] = freeSlots(MIN_SLOTS);
  #size = 0;

  constructor(key: HashKey) {
    this.#key = key;
  }

  get size(): number {
    return this.#size;
  }

  get(userId: string): Row | undefined {
    return this.#users[this.#slotOf(userId, this.#hash(userId))];
  }

  /** Adds a user whose id is not there yet. */
  add(user: Row): void {
    if (8 * (this.#size + 1) > 5 * this.#hashes.length) this.#resize(2 * this.#hashes.length);
    this.#put(user, this.#hash(user.userId));
    this.#size++;
  }

  /** Removes a user. Does nothing if the id is not there. */
  delete(userId: string): void {
    const hashes = this.#hashes;
    const users = this.#users;
    const mask = hashes.length - 1;
    let free = this.#slotOf(userId, this.#hash(userId));
    if (hashes[free] === 0) return;
    // A search ends at a free slot, so the users behind it move up unless they are in their first slot.
    for (let slot = (free + 1) & mask; hashes[slot] !== 0; slot = (slot + 1) & mask) {
      const fromHome = (slot - hashes[slot]!) & mask;
      if (fromHome < ((slot - free) & mask)) continue;
      hashes[free] = hashes[slot]!;
      users[free] = users[slot];
      free = slot;
    }
    hashes[free] = 0;
    users[free] = undefined;
    this.#size--;
    if (8 * this.#size < hashes.length && hashes.length > MIN_SLOTS) this.#resize(hashes.length / 2);
  }

  /** Prepares to find many users. Hashes all ids at once. */
  lookUp(list: readonly string[]): UserLookUp<Row> {
    const { userIds, hashes } = this.#distinct(list);
    return { userIds, users: (from, to) => this.#find(userIds, hashes, from, to) };
  }

  #distinct(list: readonly string[]): { userIds: string[]; hashes: Int32Array } {
    const userIds: string[] = [];
    const hashes = new Int32Array(list.length);
    let slots = MIN_SLOTS;
    while (slots < 2 * list.length) slots *= 2;
    /** The numbers of ids, from 1 on, by hash; 0: the slot is free. */
    const numbers = new Int32Array(slots);
    for (let i = 0; i < list.length; i++) {
      const userId = list[i]!;
      const hash = this.#hash(userId);
      let slot = hash & (slots - 1);
      for (let n = numbers[slot]!; n !== 0; n = numbers[slot]!) {
        if (hashes[n - 1] === hash && userIds[n - 1] === userId) break;
        slot = (slot + 1) & (slots - 1);
      }
      if (numbers[slot] !== 0) continue;
      hashes[userIds.length] = hash;
      numbers[slot] = userIds.push(userId);
    }
    return { userIds, hashes };
  }

  /**
   * In steps, each a short loop: the processor does not wait for one user before it reads the memory of the
   * next.
   */
  #find(userIds: readonly string[], ofIds: Int32Array, from: number, to: number): (Row | undefined)[] {
    const hashes = this.#hashes;
    const users = this.#users;
    const mask = hashes.length - 1;
    const slots = new Int32Array(to - from);
    // The first pass has no branch that depends on what it reads, so the processor reads far ahead.
    for (let i = 0; i < slots.length; i++) slots[i] = hashes[ofIds[from + i]! & mask]!;
    for (let i = 0; i < slots.length; i++) {
      const hash = ofIds[from + i]!;
      let slot = hash & mask;
      for (let there = slots[i]!; there !== hash && there !== 0; there = hashes[slot]!)
        slot = (slot + 1) & mask;
      slots[i] = slot;
    }
    const found: (Row | undefined)[] = [];
    for (let i = 0; i < slots.length; i++) found.push(users[slots[i]!]);
    for (let i = 0; i < found.length; i++) {
      const userId = userIds[from + i]!;
      const user = found[i];
      // Two ids may have one hash.
      if (user !== undefined && user.userId !== userId)
        found[i] = users[this.#slotOf(userId, ofIds[from + i]!)];
    }
    return found;
  }

  #hash(userId: string): number {
    return keyedHash(userId, this.#key) || 1;
  }

  /** The slot of a user, or the free one where the search ends. */
  #slotOf(userId: string, hash: number): number {
    const hashes = this.#hashes;
    const mask = hashes.length - 1;
    let slot = hash & mask;
    while (hashes[slot] !== 0) {
      if (hashes[slot] === hash && this.#users[slot]!.userId === userId) break;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #put(user: Row, hash: number): void {
    const hashes = this.#hashes;
    const mask = hashes.length - 1;
    let slot = hash & mask;
    while (hashes[slot] !== 0) slot = (slot + 1) & mask;
    hashes[slot] = hash;
    this.#users[slot] = user;
  }

  #resize(slots: number): void {
    const hashes = this.#hashes;
    const users = this.#users;
    this.#hashes = new Int32Array(slots);
    this.#users = freeSlots(slots);
    for (let slot = 0; slot < hashes.length; slot++)
      if (hashes[slot] !== 0) this.#put(users[slot]!, hashes[slot]!);
  }
}

function freeSlots(slots: number): undefined[] {
  return new Array<undefined>(slots).fill(undefined);
}
