import type { LeaveCause, PresenceChange } from "../../client/types.ts";
import { Ring } from "./ring.ts";

export interface ActivityEntry {
  /** Increases by one with each entry. */
  readonly number: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Undefined: from here on the entries are about another filter. */
  readonly userId: string | undefined;
  /** Why the user left. Undefined means that the user entered. */
  readonly cause: LeaveCause | undefined;
}

export const ACTIVITY_LOG_LENGTH = 200;

export const CAUSE_TEXTS: Readonly<Record<LeaveCause, string>> = {
  closed: "closed the page",
  timeout: "connection lost",
  replaced: "opened elsewhere",
  kicked: "ended on request",
  changed: "no longer matches",
  "node-lost": "server lost",
  unknown: "while not connected",
};

/** The most recent users that entered or left the result. */
export class ActivityLog {
  readonly #entries = new Ring<ActivityEntry>(ACTIVITY_LOG_LENGTH);
  #number = 0;
  #held: readonly ActivityEntry[] | undefined;

  add({ entered, left }: PresenceChange, at: number): void {
    // Earlier ones would be pushed out at once, so they are skipped.
    for (const { userId, cause } of left.slice(-ACTIVITY_LOG_LENGTH)) this.#push({ at, userId, cause });
    for (const userId of entered.slice(-ACTIVITY_LOG_LENGTH)) this.#push({ at, userId, cause: undefined });
  }

  /** Entries from here on are about another filter. */
  addDivider(at: number): void {
    this.#push({ at, userId: undefined, cause: undefined });
  }

  /** `entries` stays as it is until `release`. New entries are still recorded. */
  hold(): void {
    this.#held ??= this.entries();
  }

  release(): void {
    this.#held = undefined;
  }

  /** Newest first. */
  entries(): readonly ActivityEntry[] {
    return this.#held ?? this.#entries.toArray().reverse();
  }

  #push(entry: Omit<ActivityEntry, "number">): void {
    this.#entries.push({ number: this.#number++, ...entry });
  }
}
