import type { View } from "../../core/views/view.ts";
import { type EncodedEntry, encodeCountBody, encodeSnapshotBody } from "../../protocol/codec.ts";
import { cutPage } from "./pages.ts";

/**
 * The state of a view at one version, cut into pages on demand. The snapshot of a large view may begin while
 * its initial members are still being hydrated.
 */
export class Snapshot {
  readonly #view: View;
  readonly version: number;
  readonly #members: readonly EncodedEntry[];
  /** Kept only if it is the whole snapshot: when many clients request it at once, it is encoded once. */
  #whole: string | undefined;

  constructor(view: View) {
    this.#view = view;
    this.version = view.version;
    this.#members = view.members();
  }

  /** The page that starts at index `from`; undefined while too few entries are hydrated for it. */
  page(from: number): { readonly body: string; readonly next: number | undefined } | undefined {
    if (this.#whole !== undefined) return { body: this.#whole, next: undefined };
    if (this.#view.filter.isCount) return this.#count();
    const { members, next } = cutPage(this.#members, from);
    if (next === undefined && this.#view.isHydrating) return undefined;
    const body = encodeSnapshotBody(this.#view.name, this.version, members, next !== undefined);
    if (from === 0 && next === undefined) this.#whole = body;
    return { body, next };
  }

  #count() {
    if (this.#view.isHydrating) return undefined;
    this.#whole = encodeCountBody(this.#view.name, this.version, this.#members.length);
    return { body: this.#whole, next: undefined };
  }
}
