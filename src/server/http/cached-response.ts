import type { ReadonlyTable } from "../../core/sessions/table.ts";
import type { CompiledFilter } from "../../core/views/compiled-filter.ts";
import { type EncodedEntry, joinEntries } from "../../protocol/codec.ts";
import { ResultPages } from "../gateway/result-pages.ts";

/** Longer responses are not cached: a bound on the memory of the cache. */
const MAX_CACHED_CHARS = 8_192;
const HEAD = '{"data":{';
const TAIL = "}}";

/**
 * The response to one filter of one app. It is cached until a session changes that could matter to it: back
 * ends that use HTTP repeat the same query, and mostly nothing has changed.
 */
export class CachedResponse {
  readonly #filter: CompiledFilter;
  #cached: { readonly text: string; readonly changedAt: number } | undefined;

  constructor(filter: CompiledFilter) {
    this.#filter = filter;
  }

  /** The whole text; or, of a long response, pieces that are made one by one as they are taken. */
  read(table: ReadonlyTable): string | Iterator<string> {
    const filter = this.#filter;
    const changedAt = table.changedAt(filter.conversationId);
    if (changedAt === this.#cached?.changedAt) return this.#cached.text;
    const pages = new ResultPages(filter, table);
    const { members, more } = pages.nextPage();
    if (more) return pieces(members, pages);
    const text = joinEntries(HEAD, members, TAIL);
    if (filter.isLocal && text.length <= MAX_CACHED_CHARS) {
      this.#cached = { text, changedAt };
    }
    return text;
  }
}

function* pieces(first: readonly EncodedEntry[], pages: ResultPages): Generator<string, undefined> {
  yield joinEntries(HEAD, first, "");
  for (let more = true; more; ) {
    const page = pages.nextPage();
    more = page.more;
    if (page.members.length > 0) yield joinEntries(",", page.members, "");
  }
  yield TAIL;
}
