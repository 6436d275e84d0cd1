/** Tells listeners that something changed, at most once a frame: none comes while nobody sees the page. */
export class Topic {
  readonly #listeners = new Set<() => void>();
  #frame: number | undefined;

  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  notify(): void {
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = undefined;
      for (const listener of [...this.#listeners]) listener();
    });
  }
}
