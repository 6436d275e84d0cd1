import { isCustomPatch, MAX_CUSTOM_BYTES } from "../protocol/rules.ts";
import type { CustomPatch, SessionPatch } from "../protocol/wire.ts";
import { check, checkId } from "./filter.ts";
import { MAX_DELETED_KEYS } from "./limits.ts";
import type { SessionFields } from "./types.ts";

/** A patch while it is put together. */
type Patch = { -readonly [Field in keyof SessionPatch]: SessionPatch[Field] };

const FLAGS = ["visible", "hasFocus", "isIdle"] as const;

/**
 * What a session should be, and the part of it that is not sent yet. A field that the app never set stays as
 * the gateway has it. Pure.
 */
export function createSessionState() {
  const wanted: Patch = {};
  /** null: deleted, but the gateway may still have it, if that message was lost. */
  let custom = new Map<string, string | null>();
  let pending: Patch | undefined;
  /** The app cleared `custom`, with what a page before has set, but the gateway may not know. */
  let clears = false;

  const wholeCustom = (): Patch => ({ custom: Object.fromEntries(custom) });

  function setField<Field extends Exclude<keyof Patch, "custom">>(field: Field, value: Patch[Field]): void {
    wanted[field] = value;
    pending = { ...pending, [field]: value };
  }

  function setCustom(patch: CustomPatch | null): void {
    if (patch === null) return clear();
    checkCustom(isCustomPatch(patch));
    const next = new Map(custom);
    for (const [key, value] of Object.entries(patch)) {
      next.delete(key);
      next.set(key, value);
    }
    const kept = [...next].filter((entry) => entry[1] !== null);
    const whole = Object.fromEntries(kept);
    checkCustom(isCustomPatch(whole) && jsonBytes(whole) <= MAX_CUSTOM_BYTES);
    if (next.size - kept.length > MAX_DELETED_KEYS) return clear(kept);
    custom = next;
    if (pending?.custom === null) return;
    // A key may be called `__proto__`: copied as what it is.
    pending = { ...pending, custom: { ...pending?.custom, ...patch } };
  }

  function clear(left?: readonly [string, string | null][]): void {
    custom = new Map(left);
    clears = true;
    pending = { ...pending, custom: null };
  }

  /** Is sent even if nothing changes: the gateway forgets it. */
  function type(isTyping: boolean): void {
    setField("isTyping", isTyping);
    if (isTyping) touched();
  }

  /** As the gateway sees it. */
  function touched(): void {
    if (wanted.isIdle) setField("isIdle", false);
  }

  return {
    type,

    get visible(): boolean {
      return wanted.visible ?? true;
    },

    get isTyping(): boolean {
      return wanted.isTyping ?? false;
    },

    /**
     * Takes a change. Throws a `TypeError`, and changes nothing, if the gateway would refuse it. Typing ends
     * with the conversation.
     */
    set(fields: SessionFields): void {
      const { selectedConversationId, custom } = fields;
      for (const flag of FLAGS) check(typeof (fields[flag] ?? true) === "boolean", flag);
      if (selectedConversationId != null) checkId(selectedConversationId, "selectedConversationId");
      if (custom !== undefined) setCustom(custom);
      if (selectedConversationId !== undefined && selectedConversationId !== wanted.selectedConversationId) {
        if (wanted.isTyping) type(false);
        setField("selectedConversationId", selectedConversationId);
      }
      for (const flag of FLAGS) {
        const value = fields[flag];
        if (value == null || value === wanted[flag]) continue;
        setField(flag, value);
        if (flag === "hasFocus" && value) touched();
      }
    },

    /**
     * The next patch to send; undefined if there is none. To clear and to set takes two: there may be
     * another.
     */
    takePending(): SessionPatch | undefined {
      const taken = pending;
      pending = taken?.custom === null && custom.size > 0 ? wholeCustom() : undefined;
      return taken;
    },

    /** Everything is pending again: the gateway may have a part of it, or nothing. */
    resyncAll(): void {
      pending = { ...wanted, ...(clears ? { custom: null } : wholeCustom()) };
    },

    /** The gateway has everything that was taken; what is pending again since, it may not have. */
    arrived(): void {
      const again = pending?.custom;
      if (again !== null) clears = false;
      for (const [key, value] of custom) {
        if (value === null && !Object.hasOwn(again ?? {}, key)) custom.delete(key);
      }
    },
  };
}

function checkCustom(isValid: boolean): void {
  check(isValid, `custom, or over ${MAX_CUSTOM_BYTES} bytes`);
}

/** In UTF-8, counted where there may be no encoder. */
function jsonBytes(value: object): number {
  return encodeURIComponent(JSON.stringify(value)).replace(/%../g, "_").length;
}
