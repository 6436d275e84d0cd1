import TinyQueue from "tinyqueue";

interface Entry<K> {
  readonly key: K;
  /** When the key is due; undefined once it was deleted. */
  due: number | undefined;
  /** Its place in the heap: at or before `due`. */
  queuedAt: number;
}

/**
 * Deadlines by key, for any number of keys behind one timer. Putting a deadline off, by far the most common
 * call, only writes a number: the entry keeps its early place in the heap and moves when that place is
 * reached. So the heap holds one entry a key however often its deadline changes, and one more for each time
 * that it was brought forward.
 */
export class Deadlines<K> {
  readonly #entries = new Map<K, Entry<K>>();
  #heap = new TinyQueue<Entry<K>>([], (a, b) => a.queuedAt - b.queuedAt);
  #live = 0;

  /** How many keys have a deadline. */
  get size(): number {
    return this.#live;
  }

  set(key: K, due: number): void {
    const entry = this.#entries.get(key);
    if (entry !== undefined && entry.queuedAt <= due) {
      if (entry.due === undefined) this.#live++;
      entry.due = due;
      return;
    }
    if (entry?.due === undefined) this.#live++;
    const fresh = { key, due, queuedAt: due };
    if (entry !== undefined) entry.due = undefined;
    this.#entries.set(key, fresh);
    this.#heap.push(fresh);
    this.#compact();
  }

  delete(key: K): void {
    const entry = this.#entries.get(key);
    if (entry?.due === undefined) return;
    entry.due = undefined;
    this.#live--;
    this.#compact();
  }

  get(key: K): number | undefined {
    return this.#entries.get(key)?.due;
  }

  /** Places in the heap: bounded by a few for each key, and shown so that a test can see it. */
  get heapSize(): number {
    return this.#heap.length;
  }

  /** No key is due before this time; undefined when none is waiting. */
  nextDueAt(): number | undefined {
    return this.#heap.peek()?.queuedAt;
  }

  /** Removes and returns one key that is due, or undefined. Call it until it returns undefined. */
  takeDue(now: number): K | undefined {
    for (;;) {
      const head = this.#heap.peek();
      if (head === undefined || head.queuedAt > now) return undefined;
      this.#heap.pop();
      if (head.due === undefined) {
        if (this.#entries.get(head.key) === head) this.#entries.delete(head.key);
      } else if (head.due > now) {
        head.queuedAt = head.due;
        this.#heap.push(head);
      } else {
        this.#entries.delete(head.key);
        this.#live--;
        return head.key;
      }
    }
  }

  /**
   * Calls back for each key that is due and removes it, at most `max` of them; those that are left are still
   * due.
   */
  forEachDue(now: number, max: number, act: (key: K) => void): void {
    for (let n = 0; n < max; n++) {
      const key = this.takeDue(now);
      if (key === undefined) return;
      act(key);
    }
  }

  /**
   * Drops the places of deleted keys once they are the most: churn leaves nothing behind, for little work a
   * call.
   */
  #compact(): void {
    if (this.#live > 0 && this.#heap.length <= 64 + 2 * this.#live) return;
    const kept: Entry<K>[] = [];
    for (const [key, entry] of this.#entries) {
      if (entry.due === undefined) this.#entries.delete(key);
      else {
        entry.queuedAt = entry.due;
        kept.push(entry);
      }
    }
    this.#heap = new TinyQueue(kept, (a, b) => a.queuedAt - b.queuedAt);
  }
}
