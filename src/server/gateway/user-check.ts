import type { User } from "../../core/sessions/session.ts";
import { statusOfBit } from "../../core/sessions/status.ts";
import type { ReadonlyTable } from "../../core/sessions/table.ts";
import type { UserLookUp } from "../../core/sessions/user-index.ts";
import type { CompiledFilter } from "../../core/views/compiled-filter.ts";

/** Users who are checked in one turn of the event loop. */
const USERS_AT_ONCE = 1_000;
/**
 * If the index of the filter has at most this many sessions, they are checked, and not those of each user who
 * is asked for.
 */
const FEW = USERS_AT_ONCE / 10;

/**
 * Which users of a list are in the result of a filter, some at a time. `userIds` of the filter are ignored.
 * Costs one look-up for each id, and no more.
 */
export class UserCheck {
  readonly #table: ReadonlyTable;
  readonly #filter: CompiledFilter;
  readonly #lookUp: UserLookUp;
  readonly #present: string[] = [];
  readonly #absent: string[] = [];
  /** `"alice":"dnd"` of those who are absent, but have a session and are not invisible. */
  readonly #statuses: string[] = [];
  #checked = 0;

  constructor(table: ReadonlyTable, filter: CompiledFilter, userIds: readonly string[]) {
    this.#table = table;
    this.#filter = filter;
    this.#lookUp = table.lookUp(userIds);
  }

  /** Checks some more users as they are now. Returns true when all are checked. */
  checkMore(): boolean {
    const { userIds } = this.#lookUp;
    const from = this.#checked;
    const to = Math.min(from + USERS_AT_ONCE, userIds.length);
    const users = this.#lookUp.users(from, to);
    const few = this.#resultIfFew();
    for (let i = from; i < to; i++) {
      const userId = userIds[i]!;
      const user = users[i - from];
      if (user === undefined) this.#absent.push(userId);
      else if (few === undefined ? this.#filter.includes(user) : few.has(user)) this.#present.push(userId);
      else {
        this.#absent.push(userId);
        if (!user.isInvisible) this.#statuses.push(`${quoted(userId)}:"${statusOfBit(user.statusBit)}"`);
      }
    }
    this.#checked = to;
    return to === userIds.length;
  }

  /** The users in the result now, if they cost less than to check each user. */
  #resultIfFew(): Set<User> | undefined {
    if (this.#filter.candidates(this.#table).size > FEW) return undefined;
    const users = new Set<User>();
    this.#filter.forEachUser(this.#table, (user) => users.add(user));
    return users;
  }

  /** The answer as JSON: the ids in the order of the list, each once. */
  encode(): string {
    const present = JSON.stringify(this.#present);
    const absent = JSON.stringify(this.#absent);
    return `{"present":${present},"absent":${absent},"statuses":{${this.#statuses.join(",")}}}`;
  }
}

const NEEDS_ESCAPES = /["\\]/;

/** An id as JSON. Ids have no control characters. */
function quoted(userId: string): string {
  return NEEDS_ESCAPES.test(userId) ? JSON.stringify(userId) : `"${userId}"`;
}
