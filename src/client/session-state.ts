import { isCustomPatch, MAX_CUSTOM_BYTES } from "../protocol/rules.ts";
import type { CustomPatch, SessionPatch } from "../protocol/wire.ts";
import { checkId } from "./filter.ts";
import { MAX_DELETED_KEYS } from "./limits.ts";
import type { SessionFields } from "./types.ts";

/** A patch while it is put together. */
type Patch = { -readonly [Field in keyof SessionPatch]: SessionPatch[Field] };

const FLAGS = ["visible", "hasFocus"] as const;

/**
 * What a session should be, and the part of it that is not sent yet. A field that the app never set stays as
 * the gateway has it. Pure.
 */
export class SessionState {
  readonly #wanted: Patch = {};
  /** null: deleted, but the gateway may still have it, if that message was lost. */
  #custom = new Map<string, string | null>();
  #pending: Patch | undefined;
  /** The app cleared `custom`, with what a page before has set, but the gateway may not know. */
  #clears = false;

  get visible(): boolean {
    return this.#wanted.visible ?? true;
  }

  get isTyping(): boolean {
    return this.#wanted.isTyping ?? false;
  }

  /**
   * Takes a change. Throws a `TypeError`, and changes nothing, if the gateway would refuse it. Typing ends
   * with the conversation.
   */
  set(fields: SessionFields): void {
    const { selectedConversationId: conversationId, custom } = fields;
    for (const flag of FLAGS) {
      if (typeof (fields[flag] ?? true) !== "boolean") throw new TypeError(`${flag} must be a boolean`);
    }
    if (conversationId != null) checkId(conversationId, "selectedConversationId");
    if (custom !== undefined) this.#setCustom(custom);
    if (conversationId !== undefined && conversationId !== this.#wanted.selectedConversationId) {
      if (this.isTyping) this.type(false);
      this.#set("selectedConversationId", conversationId);
    }
    for (const flag of FLAGS) {
      const value = fields[flag];
      if (value != null && value !== this.#wanted[flag]) this.#set(flag, value);
    }
  }

  /** Is sent even if nothing changes: the gateway forgets it. */
  type(isTyping: boolean): void {
    this.#set("isTyping", isTyping);
  }

  /**
   * The next patch to send; undefined if there is none. To clear and to set takes two: there may be another.
   */
  takePending(): SessionPatch | undefined {
    const taken = this.#pending;
    this.#pending = taken?.custom === null && this.#custom.size > 0 ? this.#wholeCustom() : undefined;
    return taken;
  }

  /** Everything is pending again: the gateway may have a part of it, or nothing. */
  resyncAll(): void {
    this.#pending = { ...this.#wanted, ...(this.#clears ? { custom: null } : this.#wholeCustom()) };
  }

  /** The gateway has everything that was taken; what is pending again since, it may not have. */
  arrived(): void {
    const custom = this.#pending?.custom;
    if (custom !== null) this.#clears = false;
    for (const [key, value] of this.#custom) {
      if (value === null && !Object.hasOwn(custom ?? {}, key)) this.#custom.delete(key);
    }
  }

  #wholeCustom(): Patch {
    return { custom: Object.fromEntries(this.#custom) };
  }

  #set<Field extends Exclude<keyof Patch, "custom">>(field: Field, value: Patch[Field]): void {
    this.#wanted[field] = value;
    this.#pending = { ...this.#pending, [field]: value };
  }

  #setCustom(patch: CustomPatch | null): void {
    if (patch === null) return this.#clear();
    check(isCustomPatch(patch));
    const custom = new Map(this.#custom);
    for (const [key, value] of Object.entries(patch)) {
      custom.delete(key);
      custom.set(key, value);
    }
    const kept = [...custom].filter((entry) => entry[1] !== null);
    const whole = Object.fromEntries(kept);
    check(isCustomPatch(whole) && jsonBytes(whole) <= MAX_CUSTOM_BYTES);
    if (custom.size - kept.length > MAX_DELETED_KEYS) return this.#clear(kept);
    this.#custom = custom;
    if (this.#pending?.custom === null) return;
    // A key may be called `__proto__`: copied as what it is.
    this.#pending = { ...this.#pending, custom: { ...this.#pending?.custom, ...patch } };
  }

  #clear(left?: readonly [string, string | null][]): void {
    this.#custom = new Map(left);
    this.#clears = true;
    this.#pending = { ...this.#pending, custom: null };
  }
}

function check(isValid: boolean): void {
  if (!isValid) throw new TypeError(`custom is malformed, or over ${MAX_CUSTOM_BYTES} bytes of JSON`);
}

/** In UTF-8, counted where there may be no encoder. */
function jsonBytes(value: object): number {
  return encodeURIComponent(JSON.stringify(value)).replace(/%../g, "_").length;
}
