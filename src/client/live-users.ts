import type {
  Diff,
  Position,
  PresencePatch,
  PresenceValue,
  ResultPage,
  SnapshotPage,
} from "../protocol/wire.ts";
import { PresenceError, protocolError } from "./errors.ts";
import { MEAN_WEIGHT, SPARE_MEANS } from "./limits.ts";
import { isPatch, isValue } from "./server-message.ts";
import type { LeaveCause, PresenceChange, PresenceSnapshot } from "./types.ts";
import { type UserChange, UserMap } from "./user-map.ts";

export type LiveUsers = ReturnType<typeof createLiveUsers>;

/** The users of one filter, as the gateway's snapshots and diffs make them. Pure: it returns what changed. */
export function createLiveUsers(maxUsers: number) {
  let position: Position | undefined;
  let users = new UserMap();
  let addToPages: ReturnType<typeof assemblePages> | undefined;
  /** Users who were there before the gateway was restarted, and are not back yet. */
  const awaited = new Set<string>();

  function change(
    changes: readonly UserChange[],
    { view, version }: Position,
    causes: Diff["causes"] = {},
    otherwise: LeaveCause = "unknown",
  ): PresenceChange {
    const before = users;
    const entered: string[] = [];
    const updated: string[] = [];
    const left: { userId: string; cause: LeaveCause }[] = [];
    users = bounded(new UserMap(before, changes), maxUsers);
    position = { view, version };
    for (const [userId, value] of changes) {
      const isKnown = before.has(userId);
      awaited.delete(userId);
      if (value) (isKnown ? updated : entered).push(userId);
      else if (isKnown)
        left.push({ userId, cause: Object.hasOwn(causes, userId) ? causes[userId]! : otherwise });
    }
    return { entered, updated, left };
  }

  /** The connection is lost: the pages that have come of a snapshot are dropped. */
  function lost(): void {
    addToPages = undefined;
  }

  return {
    /** The state that the users are in, to resume from after a break. */
    get position(): Position | undefined {
      return position;
    },

    /** Whole, and never changed again: each change makes another. undefined before the first. */
    get snapshot(): PresenceSnapshot | undefined {
      return position && users;
    },

    /**
     * Adds a page of a snapshot. Returns what changed if it was the last one, else undefined.
     * @param awaitsMissing Whether users who are missing stay until they are back or given up. Users who are
     *   awaited already stay anyhow.
     */
    addPage(page: SnapshotPage, awaitsMissing = false): PresenceChange | undefined {
      addToPages ??= assemblePages(maxUsers);
      const all = addToPages(page);
      if (!all) return undefined;
      lost();
      // A user who did not change stays the same object.
      const changes: UserChange[] = [...all].filter(
        ([userId, value]) => JSON.stringify(users.get(userId)) !== JSON.stringify(value),
      );
      for (const userId of users.keys()) {
        if (all.has(userId)) awaited.delete(userId);
        else if (awaitsMissing || awaited.has(userId)) awaited.add(userId);
        else changes.push([userId, null]);
      }
      return change(changes, page);
    },

    /**
     * Folds a diff in, at the cost of its size. Throws a `PresenceError` if it does not follow, or brings too
     * many users.
     */
    addDiff(diff: Diff): PresenceChange {
      if (addToPages || diff.version !== position!.version + 1) throw protocolError("version");
      const changes = Object.entries(diff.data).map(
        ([userId, value]): UserChange => [userId, isPatch(value) ? patched(users.get(userId), value) : value],
      );
      return change(changes, diff, diff.causes);
    },

    /** Users who are still missing have left. Does nothing before the first snapshot. */
    timeout(): PresenceChange | undefined {
      const changes = Array.from(awaited, (userId): UserChange => [userId, null]);
      return position && change(changes, position, {}, "timeout");
    },

    lost,
  };
}

/**
 * Puts the pages of an answer together. The function that it returns adds a page, and returns all users if it
 * was the last. That one throws a `PresenceError` for too many users or a page that adds nobody.
 */
export function assemblePages(maxUsers: number): (page: ResultPage) => UserMap | undefined {
  let users = new UserMap();
  return ({ data, more }) => {
    const { size } = users;
    users = bounded(new UserMap(users, Object.entries(data)), maxUsers);
    if (!more) return users;
    // Such pages could go on without end.
    if (users.size === size) throw protocolError("data");
    return undefined;
  };
}

/** The value after a patch, with its fields in the order of a whole one. */
function patched(before: PresenceValue | undefined, { changed, ...patch }: PresencePatch): PresenceValue {
  const { status, statusText, statusEmoji, ...others } = { ...before, ...patch };
  const after: Record<string, unknown> = {
    status,
    ...(statusText && { statusText }),
    ...(statusEmoji && { statusEmoji }),
    ...others,
  };
  for (const list of ["backgroundSessions", "widgets"] as const)
    if (before?.[list])
      after[list] = before[list].map((session) => {
        const fields = changed[session.sessionId];
        return fields ? { ...session, ...fields } : session;
      });
  if (!before || !isValue(after)) throw protocolError("changed");
  return after;
}

/** Returns the users. Throws if there are too many: a gateway gone wrong must not fill the memory. */
function bounded(users: UserMap, maxUsers: number): UserMap {
  if (users.size > maxUsers || users.weight > (maxUsers + SPARE_MEANS) * MEAN_WEIGHT)
    throw new PresenceError("LIMIT_REACHED", `more than ${maxUsers} users`);
  return users;
}
