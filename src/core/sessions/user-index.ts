import { type HashKey, keyedHash } from "../collections/keyed-hash.ts";
import type { IdList } from "./id-list.ts";
import type { User } from "./session.ts";

/** Users who were found, and where in the list of ids: `users[i]` has the id `indexes[i]`. */
export interface FoundUsers<Row extends User = User> {
  readonly users: readonly Row[];
  /** May be longer than `users`. */
  readonly indexes: Int32Array;
}

/** The users of a list of ids, found some at a time. */
export interface UserLookUp<Row extends User = User> {
  /** How many different ids the list has. */
  readonly size: number;
  /** Where in the list each of them comes first, in the order of the list. May be longer than `size`. */
  readonly places: Int32Array;
  /** The index in `places` of an id; undefined if the list does not have it. */
  indexOf(userId: string): number | undefined;
  /** The users whose ids are in `places` from `from` to before `to`. Indexes are those in `places`. */
  find(from: number, to: number): FoundUsers<Row>;
}

const MIN_SLOTS = 16;
/** For so many users a round of a loop reads memory. */
const AT_ONCE = 4;

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
  lookUp(ids: IdList): UserLookUp<Row> {
    const { length } = ids;
    const ofIds = new Int32Array(length + AT_ONCE);
    for (let i = 0; i < length; i++) ofIds[i] = ids.hash(i, this.#key) || 1;
    let slots = MIN_SLOTS;
    while (slots < 2 * length) slots *= 2;
    /** By hash, indexes in `places` plus 1; 0: the slot is free. */
    const numbers = new Int32Array(slots);
    const places = new Int32Array(length);
    let size = 0;
    for (let place = 0; place < length; place++) {
      const hash = ofIds[place]!;
      let slot = hash & (slots - 1);
      for (let n = numbers[slot]!; n !== 0; n = numbers[slot]!) {
        if (ofIds[n - 1] === hash && ids.areSame(places[n - 1]!, place)) break;
        slot = (slot + 1) & (slots - 1);
      }
      if (numbers[slot] !== 0) continue;
      ofIds[size] = hash;
      places[size] = place;
      size++;
      numbers[slot] = size;
    }
    return {
      size,
      places,
      indexOf: (userId) => {
        const hash = this.#hash(userId);
        for (let slot = hash & (slots - 1); ; slot = (slot + 1) & (slots - 1)) {
          const index = numbers[slot]! - 1;
          if (index < 0) return undefined;
          if (ofIds[index] === hash && ids.is(places[index]!, userId)) return index;
        }
      },
      find: (from, to) => this.#find(ids, places, ofIds, from, to),
    };
  }

  /**
   * In steps, each a loop that reads one thing of each user: the processor does not wait for the memory of
   * one user before it reads that of the next. No loop has a branch that depends on what it reads itself.
   * The processor reads ahead a number of instructions, and each round of a loop has some that only check
   * what has not changed. So it reads more memory ahead if a round is for several users. The loops are
   * written out: with one function for all of them, and what to read as its argument, finding 10,000 among a
   * million users took a sixth longer, and as long with one user a round.
   */
  #find(ids: IdList, places: Int32Array, ofIds: Int32Array, from: number, to: number): FoundUsers<Row> {
    const hashes = this.#hashes;
    const mask = hashes.length - 1;
    const length = to - from;
    const slots = new Int32Array(roundUp(length));
    for (let i = 0; i < length; i += AT_ONCE) {
      const a = hashes[ofIds[from + i]! & mask]!;
      const b = hashes[ofIds[from + i + 1]! & mask]!;
      const c = hashes[ofIds[from + i + 2]! & mask]!;
      const d = hashes[ofIds[from + i + 3]! & mask]!;
      slots[i] = a;
      slots[i + 1] = b;
      slots[i + 2] = c;
      slots[i + 3] = d;
    }
    const indexes = new Int32Array(length);
    let size = 0;
    for (let i = 0; i < length; i++) {
      const index = from + i;
      const hash = ofIds[index]!;
      let slot = hash & mask;
      let there = slots[i]!;
      for (; there !== hash && there !== 0; there = hashes[slot]!) slot = (slot + 1) & mask;
      // The next one overwrites what is not there.
      slots[size] = slot;
      indexes[size] = index;
      if (there !== 0) size++;
    }
    if (size === 0) return { users: [], indexes };
    const rounded = roundUp(size);
    slots.fill(slots[0]!, size, rounded);
    const ofSlots = this.#users;
    const users = new Array<Row>(rounded);
    for (let i = 0; i < size; i += AT_ONCE) {
      const a = ofSlots[slots[i]!]!;
      const b = ofSlots[slots[i + 1]!]!;
      const c = ofSlots[slots[i + 2]!]!;
      const d = ofSlots[slots[i + 3]!]!;
      users[i] = a;
      users[i + 1] = b;
      users[i + 2] = c;
      users[i + 3] = d;
    }
    const userIds = new Array<string>(rounded);
    for (let i = 0; i < size; i += AT_ONCE) {
      const a = users[i]!.userId;
      const b = users[i + 1]!.userId;
      const c = users[i + 2]!.userId;
      const d = users[i + 3]!.userId;
      userIds[i] = a;
      userIds[i + 1] = b;
      userIds[i + 2] = c;
      userIds[i + 3] = d;
    }
    const lengths = new Int32Array(rounded);
    for (let i = 0; i < size; i += AT_ONCE) {
      const a = userIds[i]!.length;
      const b = userIds[i + 1]!.length;
      const c = userIds[i + 2]!.length;
      const d = userIds[i + 3]!.length;
      lengths[i] = a;
      lengths[i + 1] = b;
      lengths[i + 2] = c;
      lengths[i + 3] = d;
    }
    let found = 0;
    for (let i = 0; i < size; i++) {
      const index = indexes[i]!;
      const place = places[index]!;
      let user: Row | undefined = users[i]!;
      // Two ids may have one hash.
      if (ids.lengthOf(place) !== lengths[i] || !ids.is(place, userIds[i]!))
        user = this.#findFrom(slots[i]!, ids, place, ofIds[index]!);
      if (user === undefined) continue;
      users[found] = user;
      indexes[found] = index;
      found++;
    }
    users.length = found;
    return { users, indexes };
  }

  /** The user with an id, at this slot or behind it. */
  #findFrom(from: number, ids: IdList, place: number, hash: number): Row | undefined {
    const hashes = this.#hashes;
    const mask = hashes.length - 1;
    for (let slot = from; hashes[slot] !== 0; slot = (slot + 1) & mask) {
      const user = this.#users[slot]!;
      if (hashes[slot] === hash && ids.is(place, user.userId)) return user;
    }
    return undefined;
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

/** A number of users, rounded up so that no round has fewer. */
function roundUp(users: number): number {
  return Math.ceil(users / AT_ONCE) * AT_ONCE;
}

function freeSlots(slots: number): undefined[] {
  return new Array<undefined>(slots).fill(undefined);
}
