import type { Filter } from "../../protocol/filter.ts";
import type { SessionField } from "../../protocol/wire.ts";
import {
  ALL_FIELDS,
  FIELD_BIT,
  FLAG_VALUES,
  FOCUSED_BIT,
  INVISIBLE_BIT,
  type Session,
  type SessionMatcher,
  TYPING_BIT,
  type User,
  VISIBLE_BIT,
} from "../sessions/session.ts";
import { ANY_STATUS, STATUS_BIT, type StatusSet } from "../sessions/status.ts";
import { type Change, type ReadonlyTable, SESSIONS_SHOWN, STATUS_SHOWN } from "../sessions/table.ts";

/** Counts iterations over tables. A user whose `lastWalk` has the current number was visited already. */
let walks = 0;

const VISIBLE_STATUSES: StatusSet = ANY_STATUS & ~STATUS_BIT.invisible;

/** What a filter asks of one key of `custom`. */
export type CustomCondition = readonly [key: string, values: ReadonlySet<string>];

/** Sessions whose users are all the users that a filter could match; a user may have several of them. */
export interface Candidates {
  readonly size: number;
  forEach(visit: (session: Session) => void): void;
  list(): readonly Session[];
}

/**
 * The only evaluator of filters: HTTP requests, queries, subscriptions and streams all use it.
 *
 * A filter matches a session by its flag bits (one bit test), its conversation and its `custom`. Flag bits of
 * background sessions are in the set only with `includeBackgroundSessions`, and those of invisible users only
 * with `showsInvisible`, so an entry lists a session exactly if the filter matches it.
 */
export class CompiledFilter implements SessionMatcher {
  /** Undefined: any conversation. */
  readonly conversationId: string | null | undefined;
  /** Which flag bits match, as a bit set. */
  readonly flagSet: number;
  /** Which effective statuses of a user match. */
  readonly statusSet: StatusSet;
  readonly includeBackground: boolean;
  readonly showsInvisible: boolean;
  /** Undefined: all users. */
  readonly userIds: ReadonlySet<string> | undefined;
  /** Undefined: any `custom`. Sorted by key. */
  readonly custom: readonly CustomCondition[] | undefined;
  /** The fields of the sessions that an entry lists; see `FIELD_BIT`. */
  readonly fields: number;
  /** Whether the result is only the number of users. */
  readonly isCount: boolean;
  /** Whether each visible widget matches of each user whose status matches. */
  readonly #takesAnyWidget: boolean;
  /** What a change must show to affect the result; see `Change.shown`. */
  readonly #relevant: number;
  #key: string | undefined;

  /** `showsInvisible`: also invisible users. The caller checks whether the client may see them. */
  constructor(filter: Filter, { showsInvisible = false, isCount = false } = {}) {
    this.conversationId = filter.selectedConversationId;
    this.includeBackground = filter.includeBackgroundSessions ?? false;
    this.showsInvisible = showsInvisible && filter.status === undefined;
    this.flagSet = flagSetOf(filter, this.includeBackground, this.showsInvisible);
    this.statusSet = statusSetOf(filter, this.showsInvisible);
    this.userIds = filter.userIds && new Set(filter.userIds);
    this.custom = filter.custom && customOf(filter.custom);
    this.isCount = isCount;
    this.fields = isCount ? 0 : fieldsOf(filter.fields);
    this.#takesAnyWidget =
      this.conversationId === undefined &&
      this.custom === undefined &&
      filter.hasFocus === undefined &&
      filter.isTyping === undefined;
    this.#relevant =
      SESSIONS_SHOWN |
      this.fields |
      (isCount && filter.status === undefined ? 0 : STATUS_SHOWN) |
      (this.conversationId === undefined ? 0 : FIELD_BIT.selectedConversationId) |
      (this.custom === undefined ? 0 : FIELD_BIT.custom) |
      (filter.hasFocus === undefined ? 0 : FIELD_BIT.hasFocus) |
      (filter.isTyping === undefined ? 0 : FIELD_BIT.isTyping);
  }

  /** Whether not every effective status matches that the filter may show. */
  get asksForStatus(): boolean {
    return (this.statusSet & VISIBLE_STATUSES) !== VISIBLE_STATUSES;
  }

  /** Equal for filters with the same meaning, whatever the order and repetition of their ids and values. */
  get key(): string {
    this.#key ??= JSON.stringify([
      this.conversationId === undefined ? 0 : this.conversationId,
      this.flagSet,
      this.includeBackground,
      this.userIds === undefined ? 0 : [...this.userIds].sort(),
      this.statusSet,
      this.isCount ? -1 : this.fields,
      this.custom?.map(([key, values]) => [key, ...[...values].sort()]) ?? 0,
    ]);
    return this.#key;
  }

  /**
   * Whether the result depends only on the sessions in the filter's conversation. With background sessions or
   * ids, it also depends on sessions elsewhere.
   */
  get isLocal(): boolean {
    return !this.includeBackground && this.userIds === undefined && !this.showsInvisible;
  }

  matches(session: Session): boolean {
    return (
      ((this.flagSet >> session.flagBits) & 1) !== 0 &&
      (this.conversationId === undefined || this.conversationId === session.selectedConversationId) &&
      (this.custom === undefined || hasCustom(session, this.custom))
    );
  }

  /**
   * Whether the user is in the result, apart from `userIds`: the status is one of those asked for, and one
   * of the sessions matches; for a user with a visible widget only widgets count. Checks each session of the
   * user at most once.
   */
  includes(user: User): boolean {
    const { statusBit, visibleWidgets } = user;
    if ((this.statusSet & statusBit) === 0) return false;
    if (this.#takesAnyWidget && visibleWidgets > 0) return true;
    const { sessions } = user;
    for (let i = 0; i < sessions.length; i++) {
      const session = sessions[i]!;
      if (!this.matches(session)) continue;
      if (visibleWidgets === 0 || (session.flagBits & VISIBLE_BIT) !== 0) return true;
    }
    return false;
  }

  /** Whether a change can affect the result. The filter's `userIds` must admit the user. */
  isAffectedBy(change: Change): boolean {
    if ((this.#relevant & change.shown) === 0) return false;
    return (
      (this.flagSet & change.flagSet) !== 0 ||
      change.statusChanged ||
      (change.visibilityFlipped && this.includeBackground)
    );
  }

  /**
   * Calls back once for each user in the result. Visits only the ids of the filter, or the sessions of the
   * smallest index that covers it.
   */
  forEachUser(table: ReadonlyTable, visit: (user: User) => void): void {
    if (this.userIds !== undefined) {
      for (const userId of this.userIds) {
        const user = table.user(userId);
        if (user !== undefined && this.includes(user)) visit(user);
      }
      return;
    }
    // Several sessions of a user may match. The user is visited with the first.
    walks = (walks + 1) | 0;
    const walk = walks;
    this.candidates(table).forEach(({ user }) => {
      if (user.lastWalk === walk) return;
      user.lastWalk = walk;
      if (this.includes(user)) visit(user);
    });
  }

  /** The smallest index that covers a filter without `userIds`. */
  candidates(table: ReadonlyTable): Candidates {
    const bucket = table.bucket(this.conversationId);
    if (bucket === undefined) return NOBODY;
    let best: Candidates = {
      size: bucket.countIn(this.flagSet),
      forEach: (visit) => bucket.forEach(this.flagSet, visit),
      list: () => bucket.list(this.flagSet),
    };
    for (const [key, values] of this.custom ?? []) {
      if (table.customIndex.has(key)) best = smaller(best, this.#withValues(table, key, values));
    }
    if ((this.statusSet & STATUS_BIT.online) === 0) best = smaller(best, withStatus(table, this.statusSet));
    return best;
  }

  #withValues(table: ReadonlyTable, key: string, values: ReadonlySet<string>): Candidates {
    const indexes = this.showsInvisible ? [table.customIndex, table.invisibleIndex] : [table.customIndex];
    const sets = indexes.flatMap((index) => [...values].map((value) => index.sessions(key, value)));
    return {
      size: sets.reduce((sum, { size }) => sum + size, 0),
      forEach: (visit) => {
        for (const set of sets) for (const session of set) visit(session);
      },
      list: () => sets.flatMap((set) => [...set]),
    };
  }
}

const NOBODY: Candidates = { size: 0, forEach() {}, list: () => [] };

function smaller(one: Candidates, other: Candidates): Candidates {
  return other.size < one.size ? other : one;
}

/** One session for each user with one of the statuses. */
function withStatus(table: ReadonlyTable, statusSet: StatusSet): Candidates {
  const sets: ReadonlySet<User>[] = [];
  for (const bit of Object.values(STATUS_BIT)) if ((statusSet & bit) !== 0) sets.push(table.usersWith(bit));
  return {
    size: sets.reduce((sum, { size }) => sum + size, 0),
    forEach: (visit) => {
      for (const set of sets) for (const user of set) visit(user.sessions[0]!);
    },
    list: () => sets.flatMap((set) => [...set].map((user) => user.sessions[0]!)),
  };
}

function hasCustom({ custom }: Session, conditions: readonly CustomCondition[]): boolean {
  for (let i = 0; i < conditions.length; i++) {
    const [key, values] = conditions[i]!;
    const value = custom[key];
    if (value === undefined || !values.has(value)) return false;
  }
  return true;
}

function customOf(custom: NonNullable<Filter["custom"]>): CustomCondition[] {
  return Object.keys(custom)
    .sort()
    .map((key) => {
      const values = custom[key]!;
      return [key, new Set(typeof values === "string" ? [values] : values)];
    });
}

function fieldsOf(fields: readonly SessionField[] | undefined): number {
  return fields?.reduce((set, field) => set | FIELD_BIT[field], 0) ?? ALL_FIELDS;
}

/** An invisible user takes as long as one who is offline: the sessions are not looked at. */
function statusSetOf({ status }: Filter, showsInvisible: boolean): StatusSet {
  if (status === undefined) return showsInvisible ? ANY_STATUS : VISIBLE_STATUSES;
  return status.reduce((set, each) => set | STATUS_BIT[each], 0);
}

function flagSetOf(filter: Filter, includeBackground: boolean, showsInvisible: boolean): number {
  let flagSet = 0;
  for (let flagBits = 0; flagBits < FLAG_VALUES; flagBits++) {
    const hasFocus = (flagBits & FOCUSED_BIT) !== 0;
    const isTyping = (flagBits & TYPING_BIT) !== 0;
    const isWidget = (flagBits & VISIBLE_BIT) !== 0;
    if ((flagBits & INVISIBLE_BIT) !== 0 && !showsInvisible) continue;
    if (!isWidget && !includeBackground) continue;
    if (filter.hasFocus !== undefined && filter.hasFocus !== hasFocus) continue;
    if (filter.isTyping !== undefined && filter.isTyping !== isTyping) continue;
    flagSet |= 1 << flagBits;
  }
  return flagSet;
}
