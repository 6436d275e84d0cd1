import type { PresenceFilter, PresenceValue } from "../../client/types.ts";

/** What others see of a user: what the user declares, or whether somebody touches a page. */
export type Status = PresenceValue["status"];
/** A status that a filter may ask for. */
export type FilterStatus = NonNullable<PresenceFilter["status"]>[number];

/** In the order in which the table sorts them. */
export const FILTER_STATUSES = ["online", "idle", "away", "busy", "dnd"] as const satisfies FilterStatus[];
export const STATUSES = [...FILTER_STATUSES, "invisible"] as const satisfies Status[];

export const STATUS_TEXTS: Readonly<Record<Status, string>> = {
  online: "online",
  idle: "idle",
  away: "away",
  busy: "busy",
  dnd: "do not disturb",
  invisible: "invisible",
};

export const AVAILABILITIES = ["available", "away", "busy", "dnd", "invisible"] as const;
/** What a user declares. */
export type Availability = (typeof AVAILABILITIES)[number];

export const AVAILABILITY_TEXTS: Readonly<Record<Availability, string>> = {
  available: "available",
  away: "away",
  busy: "busy",
  dnd: "do not disturb",
  invisible: "invisible: others see the user as offline",
};

/** A declared status, as the gateway answers. */
export interface DeclaredStatus {
  readonly availability: Availability;
  readonly text?: string;
  readonly emoji?: string;
  /** Milliseconds since 1970. */
  readonly expiresAt?: number;
}

export const MAX_STATUS_TEXT = 128;
export const MAX_STATUS_EMOJI = 32;

/** For how long a status may be set, in milliseconds. */
export const EXPIRIES: readonly (readonly [ms: number | undefined, text: string])[] = [
  [undefined, "until it is changed"],
  [30 * 60_000, "for 30 minutes"],
  [60 * 60_000, "for 1 hour"],
  [4 * 60 * 60_000, "for 4 hours"],
  [24 * 60 * 60_000, "for 1 day"],
  [7 * 24 * 60 * 60_000, "for 1 week"],
];
