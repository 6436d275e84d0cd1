import { customBytesAfter, EMPTY_CUSTOM_BYTES } from "../../protocol/rules.ts";
import type { CustomPatch, SessionKind, SessionPatch } from "../../protocol/wire.ts";
import type { User } from "./user.ts";

export type Custom = Readonly<Record<string, string>>;

/** What a client may set of a session. */
export interface SessionState {
  readonly visible: boolean;
  readonly selectedConversationId: string | null;
  readonly hasFocus: boolean;
  readonly isTyping: boolean;
  readonly custom: Custom;
  /** The bytes of `custom` as JSON. They are kept, so that a patch is checked for what the patch costs. */
  readonly customBytes: number;
}

export const NO_CUSTOM: Custom = Object.freeze(Object.create(null));

export const NEW_SESSION: SessionState = {
  visible: true,
  selectedConversationId: null,
  hasFocus: false,
  isTyping: false,
  custom: NO_CUSTOM,
  customBytes: EMPTY_CUSTOM_BYTES,
};

/**
 * A shape says in three bits what filters ask about a session apart from its conversation: whether it is a visible
 * widget, has the focus, is typing; as reported, so a hidden widget never has the focus and never types. The eight
 * shapes partition all sessions, and a filter is the set of shapes that it matches.
 */
export type Shape = number;
export const SHAPES = 8;
export const VISIBLE_SHAPE = 4;
export const FOCUSED_SHAPE = 2;
export const TYPING_SHAPE = 1;

/** The largest `opened` and `term`: what is read from other nodes is bounded by it, so what is written stays within it. */
export const MAX_ORIGIN = 2 ** 52;

/** What nodes that share their sessions know about one besides its state. */
export interface Origin {
  /** Puts the sessions of a user into the same order on all nodes. */
  readonly opened: number;
  /** The other node that keeps it, as that calls itself; undefined: this one does. */
  owner: string | undefined;
  /** The epoch: a counter that rises by one with each takeover. No clock is part of it. */
  term: number;
  /**
   * When its socket was lost, by the wall clock of its node, as far as nodes tell each other: only where the
   * user may need its place. Undefined: it has a socket, or it is this node's own and only this node knows.
   */
  lostAt: number | undefined;
}

/**
 * One row of the table, and its own state: an event touches one object, and makes none that stays. Only the table
 * writes to it; everyone else reads.
 */
export class Session<Holder> implements SessionState {
  readonly sessionId: string;
  readonly user: User<Holder>;
  readonly kind: SessionKind;
  visible: boolean;
  selectedConversationId: string | null;
  hasFocus: boolean;
  isTyping: boolean;
  custom: Custom;
  customBytes: number;
  shape: Shape;
  /** Who keeps the session alive: a connection, or undefined while it waits to be resumed. */
  holder: Holder | undefined;
  /** undefined where there is one node only. */
  readonly origin: Origin | undefined;
  /** Places in the bucket of all sessions and in that of the conversation, see bucket.ts. */
  placeInAll = -1;
  placeInConversation = -1;

  constructor(
    sessionId: string,
    user: User<Holder>,
    kind: SessionKind,
    state: SessionState,
    holder: Holder | undefined,
    origin: Origin | undefined,
  ) {
    this.sessionId = sessionId;
    this.user = user;
    this.kind = kind;
    this.visible = state.visible;
    this.selectedConversationId = state.selectedConversationId;
    this.hasFocus = state.hasFocus;
    this.isTyping = state.isTyping;
    this.custom = state.custom;
    this.customBytes = state.customBytes;
    this.shape = shapeOf(kind, state);
    this.holder = holder;
    this.origin = origin;
  }

  /** For the table, which keeps its indexes in step. */
  become(state: SessionState, shape: Shape): void {
    this.visible = state.visible;
    this.selectedConversationId = state.selectedConversationId;
    this.hasFocus = state.hasFocus;
    this.isTyping = state.isTyping;
    this.custom = state.custom;
    this.customBytes = state.customBytes;
    this.shape = shape;
  }
}

export function shapeOf(kind: SessionKind, state: SessionState): Shape {
  const { visible, hasFocus, isTyping } = state;
  if (kind === "widget" && !visible) return 0;
  return (
    (kind === "widget" ? VISIBLE_SHAPE : 0) | (hasFocus ? FOCUSED_SHAPE : 0) | (isTyping ? TYPING_SHAPE : 0)
  );
}

/**
 * The state after a patch; the same object if nothing changed. Selecting another conversation ends typing, unless the
 * patch sets it again.
 */
export function patchState(state: SessionState, patch: SessionPatch): SessionState {
  const visible = patch.visible ?? state.visible;
  const asked = patch.selectedConversationId;
  const selectedConversationId = asked === undefined ? state.selectedConversationId : asked;
  const hasFocus = patch.hasFocus ?? state.hasFocus;
  const moved = asked !== undefined && asked !== state.selectedConversationId;
  const isTyping = patch.isTyping ?? (moved ? false : state.isTyping);
  const custom = patch.custom === undefined ? state.custom : patchCustom(state.custom, patch.custom);
  const isSameCustom = custom === state.custom;
  if (
    !moved &&
    visible === state.visible &&
    hasFocus === state.hasFocus &&
    isTyping === state.isTyping &&
    isSameCustom
  ) {
    return state;
  }
  const customBytes = isSameCustom ? state.customBytes : bytesAfter(state, patch);
  return { visible, selectedConversationId, hasFocus, isTyping, custom, customBytes };
}

/** Whether `one`, which this node learns of only now, was opened before `other`, another session of the user. */
export function isBefore(one: Session<unknown>, other: Session<unknown>): boolean {
  if (one.origin === undefined || other.origin === undefined) return false;
  const apart = one.origin.opened - other.origin.opened;
  return apart < 0 || (apart === 0 && one.sessionId < other.sessionId);
}

export function countKeys(custom: Custom): number {
  return Object.keys(custom).length;
}

/** How many keys `custom` has after a patch. Patches add up, so the bound holds for the patched state. */
export function keysAfter({ custom }: SessionState, { custom: patch }: SessionPatch): number {
  if (patch === null) return 0;
  let keys = countKeys(custom);
  for (const [key, value] of Object.entries(patch ?? {})) {
    if (value === null && custom[key] !== undefined) keys--;
    else if (value !== null && custom[key] === undefined) keys++;
  }
  return keys;
}

/** How many bytes `custom` has after a patch. */
export function bytesAfter({ custom, customBytes }: SessionState, { custom: patch }: SessionPatch): number {
  return patch === undefined ? customBytes : customBytesAfter(custom, customBytes, patch);
}

function patchCustom(custom: Custom, patch: CustomPatch | null): Custom {
  if (patch === null) return countKeys(custom) === 0 ? custom : NO_CUSTOM;
  let patched: Record<string, string> | undefined;
  for (const [key, value] of Object.entries(patch)) {
    if ((value ?? undefined) === custom[key]) continue;
    patched ??= Object.assign(Object.create(null) as Record<string, string>, custom);
    if (value === null) delete patched[key];
    else patched[key] = value;
  }
  if (patched === undefined) return custom;
  return countKeys(patched) === 0 ? NO_CUSTOM : Object.freeze(patched);
}
