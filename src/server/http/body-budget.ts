const MAX_BYTES = 64 * 1024 * 1024;
/** Bodies that wait may take this share of the memory that the process may use. */
const SHARE_OF_MEMORY = 1 / 8;
/** One app may take this share of them, so that an app that sends slowly does not stop the others. */
const SHARE_OF_OWNER = 1 / 4;

/**
 * Limits the bytes of bodies that wait in this process: for the rest of the body, or for a turn. A body that
 * is handled as it arrives is not counted.
 */
export class BodyBudget {
  readonly #maxBytes: number;
  readonly #byOwner = new Map<string, number>();
  #bytes = 0;

  /** `memoryLimit`: bytes that this process may use. */
  constructor(memoryLimit: number) {
    this.#maxBytes = Math.min(MAX_BYTES, Math.floor(SHARE_OF_MEMORY * memoryLimit));
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Counts bytes that have arrived. False: they are too many and are not counted; the body is to be refused.
   */
  take(owner: string, bytes: number): boolean {
    const owned = (this.#byOwner.get(owner) ?? 0) + bytes;
    if (this.#bytes + bytes > this.#maxBytes || owned > SHARE_OF_OWNER * this.#maxBytes) return false;
    this.#bytes += bytes;
    this.#byOwner.set(owner, owned);
    return true;
  }

  /** Gives back bytes that were counted. */
  release(owner: string, bytes: number): void {
    if (bytes === 0) return;
    this.#bytes -= bytes;
    const owned = this.#byOwner.get(owner)! - bytes;
    if (owned > 0) this.#byOwner.set(owner, owned);
    else this.#byOwner.delete(owner);
  }
}
