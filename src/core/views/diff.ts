import { type EncodedEntry, encodeDiff } from "../../protocol/codec.ts";
import type { Diff } from "./diff-log.ts";

/** Estimated UTF-16 units that an entry needs besides its text: a string header, and a place in the list. */
const ENTRY_UNITS = 32;

/**
 * A change of the users in a view. It keeps their entries, which the view and other diffs mostly have too,
 * and not the text that is made of them: a view whose subscribers all take patches never encodes that.
 */
export class EntriesDiff implements Diff {
  readonly version: number;
  readonly length: number;
  readonly patch: string | undefined;
  readonly #view: string;
  readonly #entries: readonly EncodedEntry[];
  readonly #causes: string;

  /** `patches`: the entries with patches in place of some; undefined: there is no patch. */
  constructor(
    view: string,
    version: number,
    entries: readonly EncodedEntry[],
    patches: readonly EncodedEntry[] | undefined,
    causes: string,
  ) {
    this.#view = view;
    this.version = version;
    this.#entries = entries;
    this.#causes = causes;
    this.patch = patches && encodeDiff(view, version, patches, causes);
    let length = causes.length + (this.patch?.length ?? 0);
    for (let i = 0; i < entries.length; i++) length += entries[i]!.length + ENTRY_UNITS;
    this.length = length;
  }

  whole(): string {
    return encodeDiff(this.#view, this.version, this.#entries, this.#causes);
  }
}

/** Another number of users in a view. */
export class CountDiff implements Diff {
  readonly version: number;
  readonly patch = undefined;
  readonly #text: string;

  constructor(version: number, text: string) {
    this.version = version;
    this.#text = text;
  }

  get length(): number {
    return this.#text.length;
  }

  whole(): string {
    return this.#text;
  }
}
