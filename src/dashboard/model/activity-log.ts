import type { LeaveCause, PresenceChange } from "../../client/types.ts";
import { Ring } from "./ring.ts";

export interface ActivityEntry {
  /** Increases by one with each entry. */
  readonly number: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly userId: string;
  /** Why the user left. Undefined means that the user entered. */
  readonly cause: LeaveCause | undefined;
}

export const ACTIVITY_LOG_LENGTH = 200;

export const CAUSE_TEXTS: Readonly<Record<LeaveCause, string>> = {
  closed: "closed",
  timeout: "connection lost",
  replaced: "taken over",
  kicked: "ended by the app",
  changed: "no longer matches",
  "node-lost": "node lost",
  unknown: "while not connected",
};

/** The most recent users that entered or left the result. */
export class ActivityLog {
  readonly #entries = new Ring<ActivityEntry>(ACTIVITY_LOG_LENGTH);
  #number = 0;

  add({ entered, left }: PresenceChange, at: number): void {
    // Earlier ones would be pushed out at once, so they are skipped.
    for (const { userId, cause } of left.slice(-ACTIVITY_LOG_LENGTH)) this.#push({ at, userId, cause });
    for (const userId of entered.slice(-ACTIVITY_LOG_LENGTH)) this.#push({ at, userId, cause: undefined });
  }

  clear(): void {
    this.#entries.clear();
  }

  /** Newest first. */
  entries(): ActivityEntry[] {
    return this.#entries.toArray().reverse();
  }

  #push(entry: Omit<ActivityEntry, "number">): void {
    this.#entries.push({ number: this.#number++, ...entry });
  }
}
