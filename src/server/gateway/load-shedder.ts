/** The memory that a process uses and may use, in bytes. */
export interface MemoryUse {
  readonly resident: number;
  readonly residentLimit: number;
  /** The size of the JavaScript heap after the last full collection. What was added since may be garbage. */
  readonly heap: number;
  readonly heapLimit: number;
}

/**
 * Memory is low from this share on. The rest is for clients that are there already, and for garbage that is
 * not collected yet.
 */
const SHORT_AT = 0.8;
/** Memory is sufficient again below this share. It is lower, so that clients are not let in one by one. */
const ENOUGH_AT = 0.75;

/** Decides whether there is memory for new clients. */
export class LoadShedder {
  #isShort = false;
  /** The most connections and sessions since memory became low, or since the last collection. */
  #maxPresent = 0;

  get isShort(): boolean {
    return this.#isShort;
  }

  /** Takes a sample. Returns true if `isShort` has changed. */
  sample({ resident, residentLimit, heap, heapLimit }: MemoryUse): boolean {
    const wasShort = this.#isShort;
    const share = Math.max(resident / residentLimit, heap / heapLimit);
    this.#isShort = share >= (wasShort ? ENOUGH_AT : SHORT_AT);
    return this.#isShort !== wasShort;
  }

  /**
   * Whether to collect the heap now: more than half of the connections and sessions have gone since memory
   * became low. Node alone may take minutes to collect in a process that does little, and would refuse new
   * clients for as long.
   */
  shouldCollect(present: number): boolean {
    this.#maxPresent = this.#isShort ? Math.max(this.#maxPresent, present) : 0;
    if (present >= this.#maxPresent / 2) return false;
    this.#maxPresent = present;
    return true;
  }
}
