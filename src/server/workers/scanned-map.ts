/** A value at its place in the order in which values were added. */
interface Slot<V> {
  readonly key: string;
  readonly place: number;
  /** Undefined once it is deleted. */
  value: V | undefined;
}

const MIN_SLOTS = 64;

/**
 * A map that is read in parts while it changes. What is in it from the first part to the last is read exactly
 * once; no part remembers anything.
 */
export class ScannedMap<V extends object> {
  readonly #byKey = new Map<string, Slot<V>>();
  /** By place. Those that have gone are taken out once they are the majority. */
  #slots: Slot<V>[] = [];
  #places = 0;

  get size(): number {
    return this.#byKey.size;
  }

  /** How many places there are, with those that nothing is at any more. For tests. */
  get slots(): number {
    return this.#slots.length;
  }

  get(key: string): V | undefined {
    return this.#byKey.get(key)?.value;
  }

  set(key: string, value: V): void {
    const slot = this.#byKey.get(key);
    if (slot !== undefined) {
      slot.value = value;
      return;
    }
    const added = { key, place: ++this.#places, value };
    this.#byKey.set(key, added);
    this.#slots.push(added);
  }

  delete(key: string): void {
    const slot = this.#byKey.get(key);
    if (slot === undefined) return;
    slot.value = undefined;
    this.#byKey.delete(key);
    if (this.#slots.length < MIN_SLOTS + 2 * this.#byKey.size) return;
    this.#slots = this.#slots.filter(({ value }) => value !== undefined);
  }

  /**
   * Calls back for what is behind a place, in order, until `take` returns false: that one is the last.
   * Returns the place to go on behind; undefined if nothing is left.
   */
  scan(behind: number, take: (key: string, value: V) => boolean): number | undefined {
    for (let i = this.#firstBehind(behind); i < this.#slots.length; i++) {
      const { key, place, value } = this.#slots[i]!;
      if (value !== undefined && !take(key, value)) return place;
    }
    return undefined;
  }

  #firstBehind(place: number): number {
    let from = 0;
    let to = this.#slots.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (this.#slots[middle]!.place <= place) from = middle + 1;
      else to = middle;
    }
    return from;
  }
}
