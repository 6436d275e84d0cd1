import type { CustomPatch } from "../protocol/rules.ts";
import type { User } from "./user.ts";

export type SessionKind = "background" | "widget";
export type Custom = Readonly<Record<string, string>>;

/** What a client may set of a session. */
export interface SessionState {
  readonly visible: boolean;
  readonly selectedConversationId: string | null;
  readonly hasFocus: boolean;
  readonly isTyping: boolean;
  readonly custom: Custom;
}

/** A change that a client asks for: what is absent stays as it is. */
export interface SessionPatch {
  readonly visible?: boolean | undefined;
  readonly selectedConversationId?: string | null | undefined;
  readonly hasFocus?: boolean | undefined;
  readonly isTyping?: boolean | undefined;
  readonly custom?: CustomPatch | null | undefined;
}

export const NO_CUSTOM: Custom = Object.freeze(Object.create(null));

export const NEW_SESSION: SessionState = {
  visible: true,
  selectedConversationId: null,
  hasFocus: false,
  isTyping: false,
  custom: NO_CUSTOM,
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
  if (
    !moved &&
    visible === state.visible &&
    hasFocus === state.hasFocus &&
    isTyping === state.isTyping &&
    custom === state.custom
  ) {
    return state;
  }
  return { visible, selectedConversationId, hasFocus, isTyping, custom };
}

/** Whether `one`, which this node learns of only now, was opened before `other`, another session of the user. */
export function isBefore(one: Session<unknown>, other: Session<unknown>): boolean {
  if (one.origin === undefined || other.origin === undefined) return false;
  const apart = one.origin.opened - other.origin.opened;
  return apart < 0 || (apart === 0 && one.sessionId < other.sessionId);
}

/** Patches add up, so the bound on keys has to be checked on the patched state. */
export function countKeys(custom: Custom): number {
  return Object.keys(custom).length;
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
