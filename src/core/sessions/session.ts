import type { EncodedEntry } from "../../protocol/codec.ts";
import { customBytesAfter, EMPTY_CUSTOM_BYTES } from "../../protocol/rules.ts";
import type { CustomPatch, SessionKind, SessionPatch } from "../../protocol/wire.ts";

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
 * The status bits say what filters ask about a session apart from its conversation: whether it is a visible
 * widget, has the focus, is typing; as reported, so a hidden widget never has the focus and never types.
 * Their eight values partition all sessions, and a filter is the set of values that it matches.
 */
export type StatusBits = number;
export const STATUS_VALUES = 8;
export const VISIBLE_BIT = 4;
export const FOCUSED_BIT = 2;
export const TYPING_BIT = 1;

/**
 * The largest `opened` and `epoch`. What is read from other nodes is bounded by it, so what is written stays
 * within.
 */
export const MAX_OWNERSHIP_NUMBER = 2 ** 52;

/** What nodes that share their sessions know about one besides its state. */
export interface Ownership {
  /** Puts the sessions of a user into the same order on all nodes. */
  readonly opened: number;
  /** The writer name of the node that keeps the session; undefined: this node does. */
  readonly owner: string | undefined;
  /** The epoch: a counter that rises by one with each takeover. No clock is part of it. */
  readonly epoch: number;
  /**
   * When the session's socket was lost, by the wall clock of its node. Nodes tell each other only where the
   * user may need the place. Undefined: it has a socket, or it is this node's own and only this node knows.
   */
  readonly lostAt: number | undefined;
}

/** What keeps a session alive. The connection is told when the session is taken from it. */
export interface SessionConnection {
  /** Another connection took the session over, or it was ended from outside. */
  onSessionLost(session: Session, cause: "replaced" | "kicked"): void;
}

/** One session as everyone reads it. Only its table writes to it: see `Table`. */
export interface Session extends SessionState {
  readonly sessionId: string;
  readonly user: User;
  readonly kind: SessionKind;
  readonly statusBits: StatusBits;
  /** Undefined while the session waits to be resumed, and for sessions of other nodes. */
  readonly connection: SessionConnection | undefined;
  /** undefined where there is one node only. */
  readonly ownership: Ownership | undefined;
}

/** A session of another node, as that node describes it. */
export interface RemoteSession {
  readonly userId: string;
  readonly kind: SessionKind;
  readonly opened: number;
  readonly epoch: number;
  /** See `Origin`. */
  readonly lostAt: number | undefined;
  readonly state: SessionState;
}

/** Chooses the sessions that an entry lists. */
export interface SessionMatcher {
  matches(session: Session): boolean;
}

/**
 * A user who is online, which means at least one session. Only the table writes to it, but for what views
 * mark.
 */
export interface User {
  readonly userId: string;
  /** In the order in which they were opened. */
  readonly sessions: readonly Session[];
  /** How many of the sessions are visible widgets. */
  readonly visibleWidgets: number;
  /** The bytes of the `custom` of all sessions. */
  readonly customBytes: number;
  /**
   * No view asks for this user by name, in any conversation. Written by the views: without it, each change
   * would be looked up among all names that they ask for, and most are not there.
   */
  hasNoNamedViews: boolean;
  /** The last walk over the table that has looked at this user. Written by `CompiledFilter`. */
  lastWalk: number;

  /**
   * The user's entry in `data`, `"alice":{"status":"online",…}`. It lists the sessions that match, in the
   * order in which they were opened, as far as they fit into a message.
   */
  encodedEntry(matcher: SessionMatcher): EncodedEntry;
}

export function statusBitsOf(kind: SessionKind, state: SessionState): StatusBits {
  const { visible, hasFocus, isTyping } = state;
  if (kind === "widget" && !visible) return 0;
  return (kind === "widget" ? VISIBLE_BIT : 0) | (hasFocus ? FOCUSED_BIT : 0) | (isTyping ? TYPING_BIT : 0);
}

/**
 * The state after a patch; the same object if nothing changed. Selecting another conversation ends typing,
 * unless the patch sets it again.
 */
export function patchState(state: SessionState, patch: SessionPatch): SessionState {
  const visible = patch.visible ?? state.visible;
  const requested = patch.selectedConversationId;
  const selectedConversationId = requested === undefined ? state.selectedConversationId : requested;
  const hasFocus = patch.hasFocus ?? state.hasFocus;
  const moved = requested !== undefined && requested !== state.selectedConversationId;
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

/**
 * Whether `one`, which this node learns of only now, was opened before `other`, another session of the user.
 */
export function wasOpenedBefore(one: Session, other: Session): boolean {
  if (one.ownership === undefined || other.ownership === undefined) return false;
  const difference = one.ownership.opened - other.ownership.opened;
  return difference < 0 || (difference === 0 && one.sessionId < other.sessionId);
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
