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
  let custom: CustomPatch = {};
  let pending: Patch | undefined;
  /** The app cleared `custom`, with what a page before has set, but the gateway may not know. */
  let clears = false;

  function setField<Field extends Exclude<keyof Patch, "custom">>(field: Field, value: Patch[Field]): void {
    wanted[field] = value;
    pending = { ...pending, [field]: value };
  }

  function setCustom(patch: CustomPatch | null): void {
    if (patch === null) return clear();
    checkCustom(isCustomPatch(patch));
    // A key may be called `__proto__`: copied as what it is.
    const next = { ...custom, ...patch };
    const kept = entriesOf(next, (value) => value !== null);
    checkCustom(isCustomPatch(kept) && jsonBytes(kept) <= MAX_CUSTOM_BYTES);
    if (Object.values(next).filter((value) => value === null).length > MAX_DELETED_KEYS) return clear(kept);
    custom = next;
    if (pending?.custom === null) return;
    pending = { ...pending, custom: { ...pending?.custom, ...patch } };
  }

  function clear(left: CustomPatch = {}): void {
    custom = left;
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

    /** What the app has set, but for `custom`. */
    wanted: wanted as SessionPatch,

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
      pending = taken?.custom === null && Object.keys(custom).length > 0 ? { custom } : undefined;
      return taken;
    },

    /** Everything is pending again: the gateway may have a part of it, or nothing. */
    resyncAll(): void {
      pending = { ...wanted, custom: clears ? null : custom };
    },

    /** The gateway has everything that was taken; what is pending again since, it may not have. */
    arrived(): void {
      const again = pending?.custom;
      if (again !== null) clears = false;
      custom = entriesOf(custom, (value, key) => value !== null || Object.hasOwn(again ?? {}, key));
    },
  };
}

/** The entries of `custom` that pass. */
function entriesOf(custom: CustomPatch, passes: (value: string | null, key: string) => boolean): CustomPatch {
  return Object.fromEntries(Object.entries(custom).filter(([key, value]) => passes(value, key)));
}

function checkCustom(isValid: boolean): void {
  check(isValid, `custom, or over ${MAX_CUSTOM_BYTES} bytes`);
}

/** In UTF-8, counted where there may be no encoder. */
function jsonBytes(value: object): number {
  return encodeURIComponent(JSON.stringify(value)).replace(/%../g, "_").length;
}
