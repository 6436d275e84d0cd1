import type { Session, User } from "../sessions/session.ts";
import type { ReadonlyTable } from "../sessions/table.ts";
import type { CompiledFilter } from "./compiled-filter.ts";

/**
 * Iterates over the users in a filter's result, some at a time, so that a large result does not block the
 * process. The table may change between steps. A user who stays in the result is visited once. A user who
 * enters or leaves meanwhile may be visited or not. No user is visited twice. Each user is visited as they
 * are at that moment.
 */
export class Cursor {
  readonly #filter: CompiledFilter;
  readonly #table: ReadonlyTable;
  /** Sessions that matched at the start; undefined until one step turns out not to be enough. */
  #sessions: readonly Session[] | undefined;
  #next = 0;
  /** Users checked so far, in the result or not. */
  #seen: Set<User> | undefined;

  constructor(filter: CompiledFilter, table: ReadonlyTable) {
    this.#filter = filter;
    this.#table = table;
  }

  /** The share that is done, from 0 to 1. */
  get progress(): number {
    return this.#sessions === undefined ? 0 : this.#next / this.#sessions.length;
  }

  /** Checks up to `count` more sessions. Returns true after the last step. */
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
   * Visits everything if it is small enough; otherwise returns the sessions to check. The ids that a filter
   * names are few, so they are always visited at once.
   */
  #begin(count: number, visit: (user: User) => void): readonly Session[] | undefined {
    if (this.#filter.userIds === undefined) {
      const candidates = this.#filter.candidates(this.#table);
      if (candidates.size > count) return candidates.list();
    }
    this.#filter.forEachUser(this.#table, visit);
    return undefined;
  }
}
