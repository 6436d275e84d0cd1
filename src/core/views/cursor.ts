import type { Session, User } from "../sessions/session.ts";
import type { ReadonlyTable } from "../sessions/table.ts";
import type { CompiledFilter } from "./compiled-filter.ts";

/**
 * A walk over the users in a filter's result, some at a time, so that a large result keeps nobody waiting.
 * The table may change between steps. Whoever was in the result all the time is visited once; who came or
 * left meanwhile may be visited or not; nobody is visited twice. Each is visited as they are at that moment.
 */
export class Cursor {
  readonly #filter: CompiledFilter;
  readonly #table: ReadonlyTable;
  /** Those that matched when the walk began; undefined until it turns out that one step is not enough. */
  #sessions: readonly Session[] | undefined;
  #next = 0;
  /** Users that were looked at, in the result or not: each is looked at once. */
  #seen: Set<User> | undefined;

  constructor(filter: CompiledFilter, table: ReadonlyTable) {
    this.#filter = filter;
    this.#table = table;
  }

  /** How much of the walk is done, from 0 to 1. */
  get progress(): number {
    return this.#sessions === undefined ? 0 : this.#next / this.#sessions.length;
  }

  /** Looks at up to `count` more sessions. Returns true when that was the last step. */
  step(count: number, visit: (user: User) => void): boolean {
    this.#sessions ??= this.#begin(count, visit);
    if (this.#sessions === undefined) return true;
    this.#seen ??= new Set();
    const end = Math.min(this.#next + count, this.#sessions.length);
    for (; this.#next < end; this.#next++) {
      const { user } = this.#sessions[this.#next]!;
      if (this.#seen.has(user)) continue;
      this.#seen.add(user);
      if (this.#filter.includes(user)) visit(user);
    }
    return end === this.#sessions.length;
  }

  /**
   * Does all of it, if it is small enough; else returns what has to be walked. Ids that a filter names are
   * few.
   */
  #begin(count: number, visit: (user: User) => void): readonly Session[] | undefined {
    const { userIds, conversationId, statusSet } = this.#filter;
    const bucket = userIds === undefined ? this.#table.bucket(conversationId) : undefined;
    if (bucket !== undefined && bucket.size > count) return bucket.list(statusSet);
    this.#filter.forEachUser(this.#table, visit);
    return undefined;
  }
}
