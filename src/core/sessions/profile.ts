import { DEFAULT_STATUS, isDefaultStatus, isSameStatus, type Status } from "./status.ts";

/** What is known about a user besides their sessions, whether they are online or not. */
export interface Profile {
  /** What the user has declared. */
  readonly status: Status;
  /**
   * When others last saw the user, in milliseconds since 1970: their last session ended, or they became
   * invisible. Undefined: never, or the app does not keep it.
   */
  readonly lastSeenAt: number | undefined;
  /**
   * Orders the changes of a profile on all nodes: the profile with the higher version wins. See `nextVersion`
   * and `versionAfter`.
   */
  readonly version: number;
  /**
   * When it was declared, or when the user's last session ended, whichever was later, in milliseconds since
   * 1970. It is kept for a limited time from then on.
   */
  readonly usedAt: number;
}

export const NO_PROFILE: Profile = { status: DEFAULT_STATUS, lastSeenAt: undefined, version: 0, usedAt: 0 };

export type ProfileChange = Partial<Pick<Profile, "status" | "lastSeenAt">>;

/** A version is a time in milliseconds since 1970, times this, plus the number of a node. */
export const NODE_NUMBERS = 1_024;
/** Versions of other nodes are checked against it. */
export const MAX_VERSION = Number.MAX_SAFE_INTEGER;

/**
 * The version of a change as of the time `asOf`, in milliseconds since 1970, on the node with that number,
 * which is below `NODE_NUMBERS`. It is higher than the version before it, whatever the clocks of other nodes
 * say. Two nodes that change a profile in the same millisecond have different versions, as long as their
 * numbers differ.
 */
export function nextVersion(before: number, asOf: number, nodeNumber: number): number {
  const at = Math.max(Math.floor(asOf), Math.floor(before / NODE_NUMBERS) + 1);
  return Math.min(at * NODE_NUMBERS + nodeNumber, MAX_VERSION);
}

/**
 * The version of a change that wins against the one before it, and against nothing that was declared since on
 * another node, whatever the clocks say.
 */
export function versionAfter(before: number): number {
  return Math.min(before + 1, MAX_VERSION);
}

/** Whether a profile says nothing about the user. */
export function isBlank({ status, lastSeenAt }: Profile): boolean {
  return lastSeenAt === undefined && isDefaultStatus(status);
}

/** Whether two profiles say the same. */
export function isSameProfile(one: Profile, other: Profile): boolean {
  return one.lastSeenAt === other.lastSeenAt && isSameStatus(one.status, other.status);
}
