import { customProblem, MAX_CUSTOM_KEYS } from "../protocol/rules.ts";
import { checkId } from "./filter.ts";
import type { SessionFields } from "./types.ts";

/** Deleted keys are told again after a break; beyond so many, the oldest are taken to have arrived. */
const MAX_REMEMBERED = 64;

export interface Patch {
  visible?: boolean | undefined;
  selectedConversationId?: string | null | undefined;
  hasFocus?: boolean | undefined;
  isTyping?: boolean | undefined;
  custom?: Record<string, string | null> | null | undefined;
}

const FLAGS = ["visible", "hasFocus"] as const;

/** What a session should be, and what of it the gateway was not told yet. What was never said stays as the gateway has it. Pure. */
export class SessionState {
  readonly #wanted: Patch = {};
  /** null: deleted, but the gateway may still have it, if the message was lost that said so. */
  #custom = new Map<string, string | null>();
  #untold: Patch = {};
  /** What is untold begins with clearing `custom`, of what a page before us said too. */
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

  /** What to tell a gateway that has the session, in order. Nothing is left after it. */
  takeUntold(): readonly Patch[] {
    const told: Patch[] = this.#clears ? [{ custom: null }] : [];
    if (Object.keys(this.#untold).length > 0) told.push(this.#untold);
    this.#untold = {};
    this.#clears = false;
    return told;
  }

  /** Everything, for a gateway that may not have it, or know only a part. To clear and to set takes another message. */
  whole(): Patch {
    const custom = { custom: this.#custom.size > 0 ? Object.fromEntries(this.#custom) : undefined };
    this.#untold = this.#clears ? custom : {};
    return { ...this.#wanted, ...(this.#clears ? {} : custom) };
  }

  /** The gateway has all that `whole` said. */
  arrived(): void {
    for (const [key, value] of this.#custom) if (value === null) this.#custom.delete(key);
  }

  #want<Field extends Exclude<keyof Patch, "custom">>(field: Field, value: Patch[Field]): void {
    this.#wanted[field] = value;
    this.#untold[field] = value;
  }

  #setCustom(patch: Readonly<Record<string, string | null>> | null): void {
    if (patch === null) {
      this.#custom.clear();
      this.#clears = true;
      delete this.#untold.custom;
      return;
    }
    const problem = customProblem(patch);
    if (problem) throw new TypeError(`custom ${problem}`);
    const custom = new Map(this.#custom);
    for (const [key, value] of Object.entries(patch)) {
      custom.delete(key);
      custom.set(key, value);
    }
    const kept = [...custom.values()].filter((value) => value !== null).length;
    if (kept > MAX_CUSTOM_KEYS) throw new TypeError(`custom has more than ${MAX_CUSTOM_KEYS} keys`);
    for (const [key, value] of custom) {
      if (value === null && custom.size - kept > MAX_REMEMBERED) custom.delete(key);
    }
    this.#custom = custom;
    // A key may be called `__proto__`: copied as what it is.
    this.#untold.custom = { ...this.#untold.custom, ...patch };
  }
}
