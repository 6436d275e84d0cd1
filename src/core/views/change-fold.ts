import type { LeaveCause } from "../../protocol/codes.ts";

/** Told of each user whose entry a flush of a view has changed. Its methods must not throw. */
export interface ViewFollower {
  /**
   * `wasIn`: whether the user was in the result before the flush. `cause`: why the user has left;
   * undefined: the user is in the result.
   */
  changed(userId: string, wasIn: boolean, cause: LeaveCause | undefined): void;
}

interface Folded {
  /** Whether the user was in the result when the fold began. */
  readonly wasIn: boolean;
  /** Why the user last left; undefined: the user is in the result. */
  cause: LeaveCause | undefined;
}

/** The least that a user adds to the text of a diff, besides the id: `"":{"status":"idle"},`. */
const MIN_ENTRY_CHARS = 20;

/**
 * The users whose entries in a view have changed since some version, each once, however often they have
 * changed. So it is bounded by the users of then and of now. It keeps no entries: the view has the last one
 * of each user.
 *
 * It also overflows when a diff of all these users would certainly be longer than `maxChars`. An overflowed
 * fold keeps no users: only a snapshot can help.
 */
export class ChangeFold implements ViewFollower {
  readonly #maxChars: number;
  readonly #users = new Map<string, Folded>();
  #chars = 0;
  #hasOverflowed = false;

  constructor(maxChars: number) {
    this.#maxChars = maxChars;
  }

  get hasOverflowed(): boolean {
    return this.#hasOverflowed;
  }

  /** Whether nothing has changed since the fold began, as far as one sees from its end. */
  get isEmpty(): boolean {
    return this.#users.size === 0 && !this.#hasOverflowed;
  }

  /** How many users have changed. */
  get size(): number {
    return this.#users.size;
  }

  /** The users who have changed, and why those who are gone have left. */
  [Symbol.iterator](): Iterator<readonly [userId: string, { readonly cause: LeaveCause | undefined }]> {
    return this.#users.entries();
  }

  changed(userId: string, wasIn: boolean, cause: LeaveCause | undefined): void {
    if (this.#hasOverflowed) return;
    const folded = this.#users.get(userId);
    if (folded === undefined) {
      this.#users.set(userId, { wasIn, cause });
      this.#chars += userId.length + MIN_ENTRY_CHARS;
      if (this.#chars > this.#maxChars) this.#overflow();
    } else if (cause !== undefined && !folded.wasIn) {
      // The user came and left since the fold began.
      this.#users.delete(userId);
      this.#chars -= userId.length + MIN_ENTRY_CHARS;
    } else folded.cause = cause;
  }

  /** Begins again, from the present version of the view. */
  clear(): void {
    this.#users.clear();
    this.#chars = 0;
    this.#hasOverflowed = false;
  }

  #overflow(): void {
    this.clear();
    this.#hasOverflowed = true;
  }
}
