/** What a process uses, and may use, in bytes. */
export interface MemoryUse {
  readonly resident: number;
  readonly residentLimit: number;
  /** What the last collection of the whole JavaScript heap left in it: the rest may be garbage. */
  readonly heap: number;
  readonly heapLimit: number;
}

/** The rest is for those who are there already, and for garbage that is not collected yet. */
const SHORT_AT = 0.8;
/** Lower, so that those who leave make room for more than one. */
const ENOUGH_AT = 0.75;

/** Whether there is memory for somebody new. */
export class LoadShedder {
  #isShort = false;
  /** The most who were there since memory became short, or since the last collection. */
  #maxPresent = 0;

  get isShort(): boolean {
    return this.#isShort;
  }

  /** Takes a sample; true if it changes the answer. */
  sample({ resident, residentLimit, heap, heapLimit }: MemoryUse): boolean {
    const wasShort = this.#isShort;
    const share = Math.max(resident / residentLimit, heap / heapLimit);
    this.#isShort = share >= (wasShort ? ENOUGH_AT : SHORT_AT);
    return this.#isShort !== wasShort;
  }

  /**
   * Whether to collect the heap now, with so many there: most have left since memory became short. Node alone
   * may take minutes to notice that, where few are left to do anything, and nobody would be let in for as
   * long.
   */
  shouldCollect(present: number): boolean {
    this.#maxPresent = this.#isShort ? Math.max(this.#maxPresent, present) : 0;
    if (present >= this.#maxPresent / 2) return false;
    this.#maxPresent = present;
    return true;
  }
}
