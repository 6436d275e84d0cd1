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
   * Orders the changes of a profile on all nodes: the profile with the higher version wins. About when it
   * changed, in milliseconds since 1970, and higher than the version before.
   */
  readonly version: number;
}

export const NO_PROFILE: Profile = { status: DEFAULT_STATUS, lastSeenAt: undefined, version: 0 };

/** The profile after a change at `wallNow`, in milliseconds since 1970. */
export function changeProfile(
  before: Profile,
  change: Partial<Omit<Profile, "version">>,
  wallNow: number,
): Profile {
  return { ...before, ...change, version: Math.max(Math.floor(wallNow), before.version + 1) };
}

/** Whether a profile says nothing about the user. */
export function isBlank({ status, lastSeenAt }: Profile): boolean {
  return lastSeenAt === undefined && isDefaultStatus(status);
}

/** Whether two profiles say the same. */
export function isSameProfile(one: Profile, other: Profile): boolean {
  return one.lastSeenAt === other.lastSeenAt && isSameStatus(one.status, other.status);
}
