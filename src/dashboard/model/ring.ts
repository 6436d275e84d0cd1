/** A ring buffer: keeps the last `size` items of a sequence. */
export class Ring<Item> {
  readonly #size: number;
  #items: Item[] = [];
  /** Index for the next item. In a full ring the oldest item is there. */
  #next = 0;

  constructor(size: number) {
    this.#size = size;
  }

  get length(): number {
    return this.#items.length;
  }

  /** The oldest item. */
  get first(): Item | undefined {
    return this.#items.length < this.#size ? this.#items[0] : this.#items[this.#next];
  }

  get last(): Item | undefined {
    return this.#items[(this.#next + this.#size - 1) % this.#size];
  }

  push(item: Item): void {
    if (this.#items.length < this.#size) this.#items.push(item);
    else this.#items[this.#next] = item;
    this.#next = (this.#next + 1) % this.#size;
  }

  /** Oldest first. */
  toArray(): Item[] {
    if (this.#items.length < this.#size) return [...this.#items];
    return [...this.#items.slice(this.#next), ...this.#items.slice(0, this.#next)];
  }
}
