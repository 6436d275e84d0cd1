import TinyQueue from "tinyqueue";

interface Entry<K> {
  readonly key: K;
  /** When the key is due; undefined once its deadline is deleted. */
  due: number | undefined;
  /** The time by which the heap sorts the entry: at or before `due`. */
  queuedAt: number;
}

/**
 * Deadlines by key, for any number of keys behind one timer. Postponing a deadline is by far the most common
 * call, and only writes a number: the entry keeps its position in the heap, and moves when that time comes.
 * So the heap holds one entry for each key, and one more for each time that a deadline was brought forward.
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

  /** Entries in the heap: at most a few for each key. For tests. */
  get heapSize(): number {
    return this.#heap.length;
  }

  /** No key is due before this time; undefined if nothing waits. */
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

  /** Removes at most `max` keys that are due, and calls back for each. The others stay due. */
  forEachDue(now: number, max: number, act: (key: K) => void): void {
    for (let n = 0; n < max; n++) {
      const key = this.takeDue(now);
      if (key === undefined) return;
      act(key);
    }
  }

  /**
   * Rebuilds the heap without deleted keys once they are the majority. So churn leaves nothing behind, and
   * costs little per call.
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
