import type { Availability, DeclaredStatus, EffectiveStatus, StatusPatch } from "../../protocol/wire.ts";

/** A declared status, with all fields present. */
export interface Status extends DeclaredStatus {
  readonly text: string | undefined;
  readonly emoji: string | undefined;
  readonly expiresAt: number | undefined;
}

export const DEFAULT_STATUS: Status = {
  availability: "available",
  text: undefined,
  emoji: undefined,
  expiresAt: undefined,
};

/** The status after a change at `wallNow`, in milliseconds since 1970. */
export function patchStatus(before: Status, patch: StatusPatch, wallNow: number): Status {
  const { availability, text, emoji, expiresInMs } = patch;
  return {
    availability: availability === undefined ? before.availability : (availability ?? "available"),
    text: text === undefined ? before.text : text || undefined,
    emoji: emoji === undefined ? before.emoji : emoji || undefined,
    expiresAt: expiresInMs === undefined ? before.expiresAt : expiryOf(expiresInMs, wallNow),
  };
}

function expiryOf(expiresInMs: number | null, wallNow: number): number | undefined {
  return expiresInMs === null ? undefined : Math.floor(wallNow) + expiresInMs;
}

/** Whether two statuses say the same. */
export function isSameStatus(one: Status, other: Status): boolean {
  return (
    one.availability === other.availability &&
    one.text === other.text &&
    one.emoji === other.emoji &&
    one.expiresAt === other.expiresAt
  );
}

export function isDefaultStatus(status: Status): boolean {
  return isSameStatus(status, DEFAULT_STATUS);
}

/** A set of effective statuses: one bit each. */
export type StatusSet = number;

export const STATUS_BIT: Readonly<Record<EffectiveStatus, StatusSet>> = {
  online: 1,
  idle: 2,
  away: 4,
  busy: 8,
  dnd: 16,
  invisible: 32,
};
export const ANY_STATUS: StatusSet = 63;

const STATUS_OF_BIT = new Map(
  Object.entries(STATUS_BIT).map(([status, bit]) => [bit, status as EffectiveStatus]),
);

/** The status that a set of one status has. */
export function statusOfBit(bit: StatusSet): EffectiveStatus {
  return STATUS_OF_BIT.get(bit)!;
}

/** What others see. `isIdle`: whether all sessions of the user are idle. */
export function effectiveStatus(availability: Availability, isIdle: boolean): EffectiveStatus {
  if (availability !== "available") return availability;
  return isIdle ? "idle" : "online";
}
