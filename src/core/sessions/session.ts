import type { EncodedEntry } from "../../protocol/codec.ts";
import { customBytesAfter, EMPTY_CUSTOM_BYTES } from "../../protocol/rules.ts";
import type { CustomPatch, SessionField, SessionKind, SessionPatch } from "../../protocol/wire.ts";
import type { Status, StatusSet } from "./status.ts";

export type Custom = Readonly<Record<string, string>>;

/** The part of a session that its client sets. */
export interface SessionState {
  readonly visible: boolean;
  readonly selectedConversationId: string | null;
  readonly hasFocus: boolean;
  readonly isTyping: boolean;
  /** Nobody has touched the page for a while. It shows in the status of the user only. */
  readonly isIdle: boolean;
  readonly custom: Custom;
  /**
   * The length of `custom` as JSON, in bytes of UTF-8. It is stored, so that checking a patch reads only the
   * patch.
   */
  readonly customBytes: number;
}

export const NO_CUSTOM: Custom = Object.freeze(Object.create(null));

export const NEW_SESSION: SessionState = {
  visible: true,
  selectedConversationId: null,
  hasFocus: false,
  isTyping: false,
  isIdle: false,
  custom: NO_CUSTOM,
  customBytes: EMPTY_CUSTOM_BYTES,
};

/**
 * The flag bits hold what filters ask about a session, except its conversation and `custom`: whether its user
 * is invisible, whether it is a visible widget, has the focus, is typing. A hidden widget counts as neither
 * focused nor typing. The sixteen values partition all sessions, and a filter is the set of values that it
 * matches. So a filter that does not ask for invisible users never comes across them.
 */
export type FlagBits = number;
export const FLAG_VALUES = 16;
export const INVISIBLE_BIT = 8;
export const VISIBLE_BIT = 4;
export const FOCUSED_BIT = 2;
export const TYPING_BIT = 1;

/**
 * The largest `opened` and `epoch`. Values from other nodes are checked against it, and own values are
 * clamped to it.
 */
export const MAX_OWNERSHIP_NUMBER = 2 ** 52;

/** What the nodes of a cluster know about a session besides its state. */
export interface Ownership {
  /**
   * Orders the sessions of a user in the same way on all nodes. About when the session was opened, in
   * milliseconds since 1970.
   */
  readonly opened: number;
  /** The writer name of the node that owns the session; undefined: this node. */
  readonly owner: string | undefined;
  /** A counter that advances by one with each takeover. It depends on no clock. */
  readonly epoch: number;
  /**
   * When the session lost its socket, in milliseconds since 1970 by the clock of its node. Undefined: the
   * session has a socket, or this node owns it and has not told the others. Nodes tell each other only if the
   * user may soon reach the limit of sessions.
   */
  readonly lostAt: number | undefined;
}

/** What keeps a session alive. The connection is told when it loses the session. */
export interface SessionConnection {
  /** Another connection took the session over (`replaced`), or a back end ended it (`kicked`). */
  onSessionTaken(session: Session, cause: "replaced" | "kicked"): void;
}

/** One session as everyone reads it. Only `Table` writes to it. */
export interface Session extends SessionState {
  readonly sessionId: string;
  readonly user: User;
  readonly kind: SessionKind;
  readonly flagBits: FlagBits;
  /** Undefined while the session waits to be resumed, and for sessions of other nodes. */
  readonly connection: SessionConnection | undefined;
  /** Undefined if this node is not in a cluster. */
  readonly ownership: Ownership | undefined;
}

/** A session of another node, as that node describes it. */
export interface RemoteSession {
  readonly userId: string;
  readonly kind: SessionKind;
  readonly opened: number;
  readonly epoch: number;
  /** See `Ownership`. */
  readonly lostAt: number | undefined;
  readonly state: SessionState;
}

/** The fields of a session that an entry can list, as bits of a set. */
export const FIELD_BIT: Readonly<Record<SessionField, number>> = {
  selectedConversationId: 1,
  custom: 2,
  hasFocus: 4,
  isTyping: 8,
  sessionId: 16,
};
export const ALL_FIELDS = 31;

/** Chooses what an entry shows. */
export interface SessionMatcher {
  matches(session: Session): boolean;
  /** The fields of each session, a set of `FIELD_BIT`; 0: the entry lists no sessions. */
  readonly fields: number;
}

/**
 * A user who is online, with at least one session. Only the table writes to it, except for the two fields
 * that views use.
 */
export interface User {
  readonly userId: string;
  /** In the order in which they were opened. */
  readonly sessions: readonly Session[];
  /** How many of the sessions are visible widgets. */
  readonly visibleWidgets: number;
  /** The sum of `customBytes` of all sessions. */
  readonly customBytes: number;
  /** What the user has declared. */
  readonly status: Status;
  /** The status that others see, as its bit; see `STATUS_BIT`. */
  readonly statusBit: StatusSet;
  /** Whether others see the user as offline. */
  readonly isInvisible: boolean;
  /**
   * True: no view over all conversations names this user in `userIds`. The views set it, so that a change of
   * such a user skips the lookup among all named users.
   */
  hasNoNamedViews: boolean;
  /** The number of the last iteration over the table that visited this user. Written by `CompiledFilter`. */
  lastWalk: number;

  /**
   * The user's entry in `data`, `"alice":{"status":"online",…}`. It lists the sessions that match, in the
   * order in which they were opened, as far as they fit into a message, with the fields that the matcher
   * chooses.
   */
  encodedEntry(matcher: SessionMatcher): EncodedEntry;
}

export function flagBitsOf(kind: SessionKind, state: SessionState, isInvisible = false): FlagBits {
  const { visible, hasFocus, isTyping } = state;
  const bits = isInvisible ? INVISIBLE_BIT : 0;
  if (kind === "widget" && !visible) return bits;
  return (
    bits | (kind === "widget" ? VISIBLE_BIT : 0) | (hasFocus ? FOCUSED_BIT : 0) | (isTyping ? TYPING_BIT : 0)
  );
}

/**
 * The state after a patch; the same object if nothing changed. Selecting another conversation ends typing.
 * Typing, or gaining the focus, ends idleness. A patch that sets them decides.
 */
export function patchState(state: SessionState, patch: SessionPatch): SessionState {
  const visible = patch.visible ?? state.visible;
  const requested = patch.selectedConversationId;
  const selectedConversationId = requested === undefined ? state.selectedConversationId : requested;
  const hasFocus = patch.hasFocus ?? state.hasFocus;
  const moved = requested !== undefined && requested !== state.selectedConversationId;
  const isTyping = patch.isTyping ?? (moved ? false : state.isTyping);
  const custom = patch.custom === undefined ? state.custom : patchCustom(state.custom, patch.custom);
  const isActive = patch.isTyping === true || (patch.hasFocus === true && !state.hasFocus);
  const isIdle = patch.isIdle ?? (isActive ? false : state.isIdle);
  const isSameCustom = custom === state.custom;
  if (
    !moved &&
    visible === state.visible &&
    hasFocus === state.hasFocus &&
    isTyping === state.isTyping &&
    isIdle === state.isIdle &&
    isSameCustom
  ) {
    return state;
  }
  const customBytes = isSameCustom ? state.customBytes : bytesAfter(state, patch);
  return { visible, selectedConversationId, hasFocus, isTyping, isIdle, custom, customBytes };
}

/**
 * Whether `one`, which this node has just learned of, was opened before `other`, another session of the same
 * user.
 */
export function wasOpenedBefore(one: Session, other: Session): boolean {
  if (one.ownership === undefined || other.ownership === undefined) return false;
  const difference = one.ownership.opened - other.ownership.opened;
  return difference < 0 || (difference === 0 && one.sessionId < other.sessionId);
}

export function countKeys(custom: Custom): number {
  return Object.keys(custom).length;
}

/** How many keys `custom` has after a patch. The limit applies to the patched state, as patches add up. */
export function keysAfter({ custom }: SessionState, { custom: patch }: SessionPatch): number {
  if (patch === null) return 0;
  let keys = countKeys(custom);
  if (patch === undefined) return keys;
  for (const [key, value] of Object.entries(patch)) {
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
