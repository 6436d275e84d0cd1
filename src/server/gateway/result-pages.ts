import type { ReadonlyTable } from "../../core/sessions/table.ts";
import type { CompiledFilter } from "../../core/views/compiled-filter.ts";
import { Cursor } from "../../core/views/cursor.ts";
import type { EncodedEntry } from "../../protocol/codec.ts";
import { cutPage } from "./pages.ts";

/** Sessions that are checked in one step. */
const SESSIONS_AT_ONCE = 250;
/** The most steps for one page in one go. Few users may match among many sessions. */
const STEPS_AT_ONCE = 16;

export interface ResultPage {
  readonly members: readonly EncodedEntry[];
  readonly more: boolean;
}

/**
 * The result of a query in pages, each computed when it is requested, so a large result costs as it is read.
 */
export class ResultPages {
  readonly #filter: CompiledFilter;
  readonly #cursor: Cursor;
  #members: EncodedEntry[] = [];
  #done = false;
  #count = 0;

  constructor(filter: CompiledFilter, table: ReadonlyTable) {
    this.#filter = filter;
    this.#cursor = new Cursor(filter, table);
  }

  /** Returns the next page. Must not be called after a page whose `more` is false. */
  nextPage(): ResultPage {
    for (;;) {
      const page = this.tryNextPage();
      if (page !== undefined) return page;
    }
  }

  /** Works on the next page for a limited time; undefined if it is not complete yet. */
  tryNextPage(): ResultPage | undefined {
    for (let step = 0; ; step++) {
      const page = cutPage(this.#members, 0);
      if (page.next !== undefined) {
        this.#members = this.#members.slice(page.next);
        return { members: page.members, more: true };
      }
      if (this.#done) return { members: page.members, more: false };
      if (step === STEPS_AT_ONCE) return undefined;
      this.#done = this.#cursor.step(SESSIONS_AT_ONCE, (user) =>
        this.#members.push(user.encodedEntry(this.#filter)),
      );
    }
  }

  /** Returns how many users are in the result. */
  count(): number {
    for (;;) {
      const users = this.tryCount();
      if (users !== undefined) return users;
    }
  }

  /** Counts for a limited time; undefined if it is not done yet. `steps`: how long, 1 for what is short. */
  tryCount(steps = STEPS_AT_ONCE): number | undefined {
    for (let step = 0; step < steps && !this.#done; step++) {
      this.#done = this.#cursor.step(SESSIONS_AT_ONCE, () => this.#count++);
    }
    return this.#done ? this.#count : undefined;
  }
}
