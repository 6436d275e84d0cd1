import type { Message } from "../../protocol/messages.ts";

/** How long a socket waits for the keys that its token needs. */
export const KEY_WAIT_MS = 5_000;

interface HeldText {
  readonly text: string;
  readonly byteLength: number;
}

/**
 * What a socket has sent since a `connect` or `refresh` whose token needs a key that is being fetched. It is
 * done in its order once the fetch has ended. Nobody else waits.
 */
export class HeldMessages {
  readonly message: Message<"connect"> | Message<"refresh">;
  readonly byteLength: number;
  /** When to wait no longer. */
  readonly until: number;
  /** Stops waiting for the fetch. */
  readonly stop: () => void;
  readonly #texts: HeldText[] = [];
  #bytes = 0;

  constructor(
    message: Message<"connect"> | Message<"refresh">,
    byteLength: number,
    until: number,
    stop: () => void,
  ) {
    this.message = message;
    this.byteLength = byteLength;
    this.until = until;
    this.stop = stop;
  }

  get texts(): readonly HeldText[] {
    return this.#texts;
  }

  /** False: that would be more than `maxBytes`. */
  add(text: string, byteLength: number, maxBytes: number): boolean {
    // A short text takes more memory than its bytes.
    this.#bytes += byteLength + 64;
    if (this.#bytes > maxBytes) return false;
    this.#texts.push({ text, byteLength });
    return true;
  }
}
