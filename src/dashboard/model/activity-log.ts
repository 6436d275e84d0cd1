import type { LeaveCause, PresenceChange } from "../../client/types.ts";
import { Ring } from "./ring.ts";

export interface FeedEntry {
  /** Rises with each entry. */
  readonly number: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly userId: string;
  /** Why they left; undefined: they entered. */
  readonly cause: LeaveCause | undefined;
}

export const FEED_LENGTH = 200;

export const CAUSE_TEXTS: Readonly<Record<LeaveCause, string>> = {
  closed: "closed",
  timeout: "connection lost",
  replaced: "taken over",
  kicked: "ended by the app",
  changed: "no longer matches",
  "node-lost": "node lost",
  unknown: "while not connected",
};

/** Who entered and who left, the last of them. */
export class Feed {
  readonly #entries = new Ring<FeedEntry>(FEED_LENGTH);
  #number = 0;

  note({ entered, left }: PresenceChange, at: number): void {
    // Those before the last few would be pushed out at once.
    for (const { userId, cause } of left.slice(-FEED_LENGTH)) this.#push({ at, userId, cause });
    for (const userId of entered.slice(-FEED_LENGTH)) this.#push({ at, userId, cause: undefined });
  }

  clear(): void {
    this.#entries.clear();
  }

  /** The newest first. */
  entries(): FeedEntry[] {
    return this.#entries.toArray().reverse();
  }

  #push(entry: Omit<FeedEntry, "number">): void {
    this.#entries.push({ number: this.#number++, ...entry });
  }
}
