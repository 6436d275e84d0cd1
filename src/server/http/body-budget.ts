const MAX_BYTES = 64 * 1024 * 1024;
/** Bodies that are being read may take this share of the memory that the process may use. */
const SHARE_OF_MEMORY = 1 / 8;
/** One owner may take this share of them: an app that sends slowly is not to keep the others from sending. */
const SHARE_OF_OWNER = 1 / 4;

/**
 * The bytes of bodies that wait in this process for the rest of them. A body that came whole counts nothing.
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
   * Counts bytes that have come. False: they are too many, so the body is to be refused; nothing is counted.
   */
  take(owner: string, bytes: number): boolean {
    const owned = (this.#byOwner.get(owner) ?? 0) + bytes;
    if (this.#bytes + bytes > this.#maxBytes || owned > SHARE_OF_OWNER * this.#maxBytes) return false;
    this.#bytes += bytes;
    this.#byOwner.set(owner, owned);
    return true;
  }

  /** Gives back what was counted. */
  release(owner: string, bytes: number): void {
    if (bytes === 0) return;
    this.#bytes -= bytes;
    const owned = this.#byOwner.get(owner)! - bytes;
    if (owned > 0) this.#byOwner.set(owner, owned);
    else this.#byOwner.delete(owner);
  }
}
