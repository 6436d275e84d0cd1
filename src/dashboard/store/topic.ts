/**
 * Notifies listeners of changes, at most once per animation frame. A hidden page has no frames, so no
 * notifications.
 */
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
