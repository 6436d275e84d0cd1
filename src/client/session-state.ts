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
  readonly #custom = new Map<string, string>();
  /** Keys that the gateway may still have, if what deleted them was lost. */
  readonly #removed = new Set<string>();
  /** At most two: one that clears `custom`, and one with what came after it. */
  #untold: Patch[] = [];

  get visible(): boolean {
    return this.#wanted.visible ?? true;
  }

  get isTyping(): boolean {
    return this.#wanted.isTyping ?? false;
  }

  get hasUntold(): boolean {
    return this.#untold.length > 0;
  }

  /** Takes a change. Throws a `TypeError`, and changes nothing, if the gateway would refuse it. Typing ends with the conversation. */
  set(fields: SessionFields): void {
    check(fields);
    const custom = this.#customAfter(fields.custom);
    const { selectedConversationId: conversationId } = fields;
    if (conversationId !== undefined && conversationId !== this.#wanted.selectedConversationId) {
      if (this.isTyping) this.type(false);
      this.#want("selectedConversationId", conversationId);
    }
    for (const flag of FLAGS) {
      const value = fields[flag];
      if (value !== undefined && value !== this.#wanted[flag]) this.#want(flag, value);
    }
    if (custom !== undefined) this.#setCustom(fields.custom ?? null, custom);
  }

  /** Said again even if it is so already: the gateway forgets. */
  type(isTyping: boolean): void {
    this.#want("isTyping", isTyping);
  }

  /** What to tell a gateway that has the session, in order. Nothing is left after it. */
  takeUntold(): readonly Patch[] {
    const untold = this.#untold;
    this.#untold = [];
    return untold;
  }

  /** Everything, for a gateway that may not have it, or know only a part. */
  whole(): Patch {
    const clears = this.#untold.some(({ custom }) => custom === null);
    const whole = { ...this.#wanted };
    // To clear what a page before us said, and to say something, takes two messages.
    this.#untold = clears ? [{ custom: null }, { custom: Object.fromEntries(this.#custom) }] : [];
    if (!clears && this.#custom.size + this.#removed.size > 0) {
      whole.custom = Object.fromEntries([
        ...[...this.#removed].map((key) => [key, null] as const),
        ...this.#custom,
      ]);
    }
    return whole;
  }

  /** The gateway has all that `whole` said. */
  arrived(): void {
    this.#removed.clear();
  }

  #want<Field extends Exclude<keyof Patch, "custom">>(field: Field, value: Patch[Field]): void {
    this.#wanted[field] = value;
    this.#lastUntold()[field] = value;
  }

  #lastUntold(): Patch {
    if (this.#untold.length === 0) this.#untold.push({});
    return this.#untold.at(-1)!;
  }

  #customAfter(patch: SessionFields["custom"]): Map<string, string> | undefined {
    if (patch === undefined) return undefined;
    const custom = new Map(patch === null ? [] : this.#custom);
    for (const [key, value] of Object.entries(patch ?? {})) {
      if (value === null) custom.delete(key);
      else custom.set(key, value);
    }
    if (custom.size > MAX_CUSTOM_KEYS)
      throw new TypeError(`custom must have at most ${MAX_CUSTOM_KEYS} keys`);
    return custom;
  }

  #setCustom(patch: Readonly<Record<string, string | null>> | null, custom: Map<string, string>): void {
    const gone = [...this.#custom.keys(), ...Object.keys(patch ?? {})].filter((key) => !custom.has(key));
    for (const key of gone) this.#removed.delete(key);
    for (const key of gone) this.#removed.add(key);
    for (const key of custom.keys()) this.#removed.delete(key);
    for (const key of this.#removed) {
      if (this.#removed.size <= MAX_REMEMBERED) break;
      this.#removed.delete(key);
    }
    this.#custom.clear();
    for (const [key, value] of custom) this.#custom.set(key, value);

    if (patch === null) {
      this.#untold = [{ ...Object.assign({}, ...this.#untold), custom: null }];
      return;
    }
    if (this.#lastUntold().custom === null) this.#untold.push({});
    const last = this.#lastUntold();
    // By entries: a key may be called `__proto__`.
    last.custom = Object.fromEntries([...Object.entries(last.custom ?? {}), ...Object.entries(patch)]);
  }
}

function check(fields: SessionFields): void {
  for (const flag of FLAGS) {
    const value = fields[flag];
    if (value !== undefined && typeof value !== "boolean")
      throw new TypeError(`${flag} must be true or false`);
  }
  const { selectedConversationId, custom } = fields;
  if (selectedConversationId !== undefined && selectedConversationId !== null) {
    checkId(selectedConversationId, "selectedConversationId");
  }
  const problem = custom === undefined || custom === null ? undefined : customProblem(custom);
  if (problem !== undefined) throw new TypeError(`custom ${problem}`);
}
