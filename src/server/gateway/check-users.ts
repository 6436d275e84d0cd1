import type { User } from "../../core/sessions/session.ts";
import { statusOfBit } from "../../core/sessions/status.ts";
import type { ReadonlyTable } from "../../core/sessions/table.ts";
import type { CompiledFilter } from "../../core/views/compiled-filter.ts";

/** So many users are looked up together: few enough that what was read is still in the processor's cache. */
const USERS_AT_ONCE = 1_000;
/**
 * If the index of the filter has at most this many sessions, they are checked, and not those of each user who
 * is asked for.
 */
const FEW = 100;

/**
 * Which users of a list are in the result of a filter, as JSON: `present` and `absent`, each with the ids in
 * the order of the list, each id once, and `statuses` of those who are absent, but have a session and are not
 * invisible. `userIds` of the filter are ignored. Costs one look-up for each id, and no more.
 */
export function checkUsers(table: ReadonlyTable, filter: CompiledFilter, asked: readonly string[]): string {
  const { userIds, users } = table.lookUp(asked);
  const few = resultIfFew(table, filter);
  const present: string[] = [];
  const absent: string[] = [];
  const statuses: string[] = [];
  for (let from = 0; from < userIds.length; from += USERS_AT_ONCE) {
    const to = Math.min(from + USERS_AT_ONCE, userIds.length);
    const found = users(from, to);
    for (let i = from; i < to; i++) {
      const userId = userIds[i]!;
      const user = found[i - from];
      if (user === undefined) absent.push(userId);
      else if (few === undefined ? filter.includes(user) : few.has(user)) present.push(userId);
      else {
        absent.push(userId);
        if (!user.isInvisible) statuses.push(`${quoted(userId)}:"${statusOfBit(user.statusBit)}"`);
      }
    }
  }
  const lists = `"present":${JSON.stringify(present)},"absent":${JSON.stringify(absent)}`;
  return `{${lists},"statuses":{${statuses.join(",")}}}`;
}

/** The users in the result, if they cost less than to check each user who is asked for. */
function resultIfFew(table: ReadonlyTable, filter: CompiledFilter): Set<User> | undefined {
  if (filter.candidates(table).size > FEW) return undefined;
  const users = new Set<User>();
  filter.forEachUser(table, (user) => users.add(user));
  return users;
}

const NEEDS_ESCAPES = /["\\]/;

/** An id as JSON. Ids have no control characters. */
function quoted(userId: string): string {
  return NEEDS_ESCAPES.test(userId) ? JSON.stringify(userId) : `"${userId}"`;
}
