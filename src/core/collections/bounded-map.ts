import { LinkedMap } from "./linked-map.ts";

/** A map of at most `max` entries. Adding a key to a full map removes the key that was added first. */
export class BoundedMap<K, V> {
  readonly #max: number;
  readonly #entries = new LinkedMap<K, V>();

  constructor(max: number) {
    this.#max = max;
  }

  get(key: K): V | undefined {
    return this.#entries.get(key);
  }

  set(key: K, value: V): void {
    this.#entries.set(key, value);
    if (this.#entries.size > this.#max) this.#entries.delete(this.#entries.first!.key);
  }

  delete(key: K): void {
    this.#entries.delete(key);
  }
}
