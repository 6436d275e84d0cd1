import type { ReadonlyTable } from "../../core/sessions/table.ts";
import type { CompiledFilter } from "../../core/views/compiled-filter.ts";
import { Cursor } from "../../core/views/cursor.ts";
import type { EncodedEntry } from "../../protocol/codec.ts";
import { cutPage } from "./pages.ts";

/** Sessions that are looked at in one go. */
const SESSIONS_AT_ONCE = 250;
/**
 * A page of which not enough is found in so many goes is worked on later: many sessions may be looked at for
 * few users.
 */
const STEPS_AT_ONCE = 16;

export interface ResultPage {
  readonly members: readonly EncodedEntry[];
  readonly more: boolean;
}

/** The answer to a query in pages, each worked out when it is asked for: a large one costs as it is read. */
export class ResultPages {
  readonly #filter: CompiledFilter;
  readonly #cursor: Cursor;
  #members: EncodedEntry[] = [];
  #done = false;

  constructor(filter: CompiledFilter, table: ReadonlyTable) {
    this.#filter = filter;
    this.#cursor = new Cursor(filter, table);
  }

  /** The next page; not to be called after one that said that there are no more. */
  nextPage(): ResultPage {
    for (;;) {
      const page = this.tryNextPage();
      if (page !== undefined) return page;
    }
  }

  /** Works towards the next page for a while; undefined if it is not there yet. */
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
}
