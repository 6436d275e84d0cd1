import { encodeSnapshotBody, type Member } from "../protocol/codec.ts";
import type { View } from "../views/view.ts";
import { cutPage } from "./pages.ts";

/** The state of a view at one version, cut into pages as they are asked for. */
export class Snapshot {
  readonly #name: string;
  readonly #version: number;
  readonly #members: readonly Member[];
  /** Kept only if it is the whole: what many ask for at once after a storm is made once. */
  #whole: string | undefined;

  constructor(view: View<unknown>) {
    this.#name = view.name;
    this.#version = view.version;
    this.#members = view.members();
  }

  page(from: number): { body: string; next: number | undefined } {
    if (this.#whole !== undefined) return { body: this.#whole, next: undefined };
    const { members, next } = cutPage(this.#members, from);
    const body = encodeSnapshotBody(this.#name, this.#version, members, next !== undefined);
    if (from === 0 && next === undefined) this.#whole = body;
    return { body, next };
  }
}
