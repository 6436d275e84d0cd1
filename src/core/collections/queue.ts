/**
 * Values to be taken in the order in which they were added, each of them once. Like a `Set`, but the next
 * value is found at once, without passing the gaps of those that were taken.
 */
export class Queue<T> {
  readonly #values = new Set<T>();
  /** It stays behind the values that were taken. */
  #iterator = this.#values.values();

  get size(): number {
    return this.#values.size;
  }

  /** Adds a value at the end. One that is there already keeps its place. */
  add(value: T): void {
    this.#values.add(value);
  }

  /** Removes a value. Returns whether it was there. */
  delete(value: T): boolean {
    const wasThere = this.#values.delete(value);
    if (wasThere && this.#values.size === 0) this.#restart();
    return wasThere;
  }

  /** Removes and returns the first value; undefined if there is none. */
  take(): T | undefined {
    if (this.#values.size === 0) return undefined;
    let next = this.#iterator.next();
    // An iterator that has come to the end does not go on with what is added later.
    if (next.done) next = this.#restart().next();
    this.delete(next.value as T);
    return next.value;
  }

  /** Also, an iterator that is not used keeps the memory of earlier, larger sets. */
  #restart(): IterableIterator<T> {
    this.#iterator = this.#values.values();
    return this.#iterator;
  }
}
