import { customProblem, MAX_CUSTOM_BYTES, MAX_CUSTOM_KEYS } from "../protocol/rules.ts";
import type { SessionPatch } from "../protocol/wire.ts";
import { checkId } from "./filter.ts";
import type { SessionFields } from "./types.ts";

/** Deleted keys are told again after a break; instead of more, all is cleared and what is left said anew. */
const MAX_REMEMBERED = 64;

/** A patch while it is put together. */
type Patch = { -readonly [Field in keyof SessionPatch]: SessionPatch[Field] };

const FLAGS = ["visible", "hasFocus"] as const;

/** What a session should be, and what of it the gateway was not told yet. What was never said stays as the gateway has it. Pure. */
export class SessionState {
  readonly #wanted: Patch = {};
  /** null: deleted, but the gateway may still have it, if the message was lost that said so. */
  #custom = new Map<string, string | null>();
  #untold: Patch | undefined;
  /** `custom` was cleared, of what a page before us said too, but the gateway may not know. */
  #clears = false;

  get visible(): boolean {
    return this.#wanted.visible ?? true;
  }

  get isTyping(): boolean {
    return this.#wanted.isTyping ?? false;
  }

  /** Takes a change. Throws a `TypeError`, and changes nothing, if the gateway would refuse it. Typing ends with the conversation. */
  set(fields: SessionFields): void {
    const { selectedConversationId: conversationId, custom } = fields;
    for (const flag of FLAGS) {
      if (typeof (fields[flag] ?? true) !== "boolean") throw new TypeError(`${flag} must be true or false`);
    }
    if ((conversationId ?? null) !== null) checkId(conversationId, "selectedConversationId");
    if (custom !== undefined) this.#setCustom(custom);
    if (conversationId !== undefined && conversationId !== this.#wanted.selectedConversationId) {
      if (this.isTyping) this.type(false);
      this.#want("selectedConversationId", conversationId);
    }
    for (const flag of FLAGS) {
      const value = fields[flag] ?? undefined;
      if (value !== undefined && value !== this.#wanted[flag]) this.#want(flag, value);
    }
  }

  /** Said again even if it is so already: the gateway forgets. */
  type(isTyping: boolean): void {
    this.#want("isTyping", isTyping);
  }

  /** The next to tell the gateway; undefined: nothing. To clear and to set takes two messages: there may be another. */
  takeUntold(): SessionPatch | undefined {
    const told = this.#untold;
    this.#untold = told?.custom === null && this.#custom.size > 0 ? this.#wholeCustom() : undefined;
    return told;
  }

  /** All is untold: the gateway may not have it, or know only a part. */
  retell(): void {
    this.#untold = { ...this.#wanted, ...(this.#clears ? { custom: null } : this.#wholeCustom()) };
  }

  /** The gateway has all that was taken, of it but what was untold again since. */
  arrived(): void {
    const custom = this.#untold?.custom;
    if (custom !== null) this.#clears = false;
    for (const [key, value] of this.#custom) {
      if (value === null && !Object.hasOwn(custom ?? {}, key)) this.#custom.delete(key);
    }
  }

  #wholeCustom(): Patch {
    return { custom: Object.fromEntries(this.#custom) };
  }

  #want<Field extends Exclude<keyof Patch, "custom">>(field: Field, value: Patch[Field]): void {
    this.#wanted[field] = value;
    this.#untold = { ...this.#untold, [field]: value };
  }

  #setCustom(patch: Readonly<Record<string, string | null>> | null): void {
    if (patch === null) return this.#clear();
    const problem = customProblem(patch);
    if (problem) throw new TypeError(`custom ${problem}`);
    const custom = new Map(this.#custom);
    for (const [key, value] of Object.entries(patch)) {
      custom.delete(key);
      custom.set(key, value);
    }
    const kept = [...custom].filter((entry): entry is [string, string] => entry[1] !== null);
    if (kept.length > MAX_CUSTOM_KEYS) throw new TypeError(`custom has more than ${MAX_CUSTOM_KEYS} keys`);
    if (jsonBytes(Object.fromEntries(kept)) > MAX_CUSTOM_BYTES)
      throw new TypeError(`custom has more than ${MAX_CUSTOM_BYTES} bytes of JSON`);
    if (custom.size - kept.length > MAX_REMEMBERED) return this.#clear(kept);
    this.#custom = custom;
    if (this.#untold?.custom === null) return;
    // A key may be called `__proto__`: copied as what it is.
    this.#untold = { ...this.#untold, custom: { ...this.#untold?.custom, ...patch } };
  }

  #clear(left?: readonly [string, string | null][]): void {
    this.#custom = new Map(left);
    this.#clears = true;
    this.#untold = { ...this.#untold, custom: null };
  }
}

/** In UTF-8, where there may be no encoder. */
function jsonBytes(value: object): number {
  return encodeURIComponent(JSON.stringify(value)).replace(/%../g, "_").length;
}
