import type { IdList } from "../../core/sessions/id-list.ts";
import type { User } from "../../core/sessions/session.ts";
import { STATUS_BIT, type StatusSet } from "../../core/sessions/status.ts";
import type { ReadonlyTable } from "../../core/sessions/table.ts";
import type { CompiledFilter } from "../../core/views/compiled-filter.ts";

/** So many users are looked up together: few enough that what was read is still in the processor's cache. */
const USERS_AT_ONCE = 1_000;
/**
 * If the index of the filter has at most this many sessions, they are checked, and not those of each user who
 * is asked for.
 */
const FEW = 100;

/** What a check says of a user: `PRESENT`, `ABSENT`, or the status of an absent one, see `STATUS_BIT`. */
export type Verdict = StatusSet;
/** In the result of the filter. */
export const PRESENT: Verdict = 128;
/** Not in the result, and without a session or invisible. */
export const ABSENT: Verdict = 0;

/** What a check says of each user of a list. */
export interface CheckedUsers {
  /** How many different ids the list has. */
  readonly size: number;
  /** Where in the list each of them comes first, in the order of the list. May be longer than `size`. */
  readonly places: Int32Array;
  /** The verdicts on them. */
  readonly verdicts: Uint8Array;
}

/**
 * Which users of a list are in the result of a filter. `userIds` of the filter are ignored. Costs one look-up
 * for each id, and no more.
 */
export function checkUsers(table: ReadonlyTable, filter: CompiledFilter, ids: IdList): CheckedUsers {
  const lookUp = table.lookUp(ids);
  const { size, places } = lookUp;
  const few = resultIfFew(table, filter);
  const verdicts = new Uint8Array(size);
  const statusBits = new Uint8Array(Math.min(size, USERS_AT_ONCE));
  for (let from = 0; from < size; from += USERS_AT_ONCE) {
    const { users, indexes } = lookUp.find(from, Math.min(from + USERS_AT_ONCE, size));
    // A loop of its own, for the same reason as in the index: the processor reads further ahead.
    for (let i = 0; i < users.length; i++) statusBits[i] = users[i]!.statusBit;
    for (let i = 0; i < users.length; i++) {
      const statusBit = statusBits[i]!;
      if (few === undefined && filter.includes(users[i]!)) verdicts[indexes[i]!] = PRESENT;
      else verdicts[indexes[i]!] = statusBit === STATUS_BIT.invisible ? ABSENT : statusBit;
    }
  }
  for (const { userId } of few ?? []) {
    const index = lookUp.indexOf(userId);
    if (index !== undefined) verdicts[index] = PRESENT;
  }
  return { size, places, verdicts };
}

/** The users in the result, if they cost less than to check each user who is asked for. */
function resultIfFew(table: ReadonlyTable, filter: CompiledFilter): readonly User[] | undefined {
  if (filter.candidates(table).size > FEW) return undefined;
  const users: User[] = [];
  filter.forEachUser(table, (user) => users.push(user));
  return users;
}
