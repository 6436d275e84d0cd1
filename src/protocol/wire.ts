/**
 * The wire as plain types: every message, and what is in it. The gateway and the SDK both import this module,
 * so it depends on nothing. The schemas beside it check what arrives, and must agree with these types.
 */
import type { CloseCause, ErrorCode, LeaveCause } from "./codes.ts";

/** The WebSocket subprotocol, with the version of the wire; clients may offer it and need not. */
export const SUBPROTOCOL = "presence.v1";

/**
 * Which sessions, and so which users, an answer is about. Every field is optional: `{}` is everyone with a
 * visible widget.
 */
export interface PresenceFilter {
  /** Also users without a visible widget, and background sessions that match. */
  readonly includeBackgroundSessions?: boolean | null | undefined;
  /** Sessions in this conversation; null: in none; absent: in any. */
  readonly selectedConversationId?: string | null | undefined;
  readonly hasFocus?: boolean | null | undefined;
  readonly isTyping?: boolean | null | undefined;
  /** Only these users, at most 1000; an empty list matches nobody. */
  readonly userIds?: readonly string[] | null | undefined;
  /** Users with one of these statuses. Invisible users are never among them. */
  readonly status?: readonly VisibleStatus[] | null | undefined;
  /**
   * Sessions whose `custom` has, for every key named here, one of its values: 1 to 4 keys of 1 to 16 values.
   * Without `userIds` and `selectedConversationId`, at least one key must be in the app's `indexedCustom`.
   */
  readonly custom?: Readonly<Record<string, string | readonly string[]>> | null | undefined;
  /** List sessions with these fields only; an empty list leaves out the sessions. */
  readonly fields?: readonly SessionField[] | null | undefined;
  /** Also invisible users. For app tokens and secrets only. */
  readonly includeInvisible?: boolean | null | undefined;
}

/** What a user declares. `invisible`: others see the user as offline. */
export type Availability = "available" | "away" | "busy" | "dnd" | "invisible";

/** A status that others can see. */
export type VisibleStatus = "online" | "idle" | "away" | "busy" | "dnd";

/** `invisible` is seen by the user only, and by back ends that ask for it. */
export type EffectiveStatus = VisibleStatus | "invisible";

/** A declared status. */
export interface DeclaredStatus {
  readonly availability: Availability;
  /** At most 128 UTF-16 units. */
  readonly text?: string | undefined;
  /** At most 32 UTF-16 units. */
  readonly emoji?: string | undefined;
  /** Milliseconds since 1970; the status is the default again then. Absent: it does not expire. */
  readonly expiresAt?: number | undefined;
}

/** A change of a declared status. Absent fields stay as they are; null resets a field. */
export interface StatusPatch {
  readonly availability?: Availability | null | undefined;
  readonly text?: string | null | undefined;
  readonly emoji?: string | null | undefined;
  /** From 1,000 to 31,536,000,000 milliseconds. */
  readonly expiresInMs?: number | null | undefined;
}

/**
 * A user whom others see now, or when they last saw the user, in milliseconds since 1970.
 */
export type LastSeen = { readonly status: VisibleStatus } | { readonly lastSeenAt: number };

/** The fields of a session that a filter can choose. */
export type SessionField = "selectedConversationId" | "custom" | "hasFocus" | "isTyping" | "sessionId";

export type SessionKind = "background" | "widget";

/**
 * A patch of `custom`: a string sets a key, null deletes it. Its own property `__proto__` is a key like any
 * other.
 */
export type CustomPatch = Readonly<Record<string, string | null>>;

/** The fields of a session that its client sets, except `isTyping`. Absent fields stay as they are. */
export interface SessionFields {
  /** Whether the widget is on screen; a hidden one counts as a background page. */
  readonly visible?: boolean | undefined;
  readonly selectedConversationId?: string | null | undefined;
  readonly hasFocus?: boolean | undefined;
  /**
   * Nobody has touched the page for a while. Typing, or gaining the focus, ends it, unless the same message
   * sets it.
   */
  readonly isIdle?: boolean | undefined;
  /**
   * A patch: a string sets a key, null deletes it, null for the whole clears all. At most 32 keys of 64 and
   * values of 512 characters.
   */
  readonly custom?: CustomPatch | null | undefined;
}

/** A change of a session. Absent fields stay as they are. */
export interface SessionPatch extends SessionFields {
  readonly isTyping?: boolean | undefined;
}

/** One page or widget of a user, as others see it. */
export interface PresenceSession {
  readonly sessionId: string;
  readonly selectedConversationId: string | null;
  readonly hasFocus: boolean;
  readonly isTyping: boolean;
  readonly custom: Readonly<Record<string, string>>;
}

/** A user who is in the result: the sessions that match, in the order in which they were opened. */
export interface PresenceValue {
  readonly status: EffectiveStatus;
  readonly statusText?: string | undefined;
  readonly statusEmoji?: string | undefined;
  /** Absent if the filter's `fields` is an empty list; so is `widgets`. */
  readonly backgroundSessions: readonly PresenceSession[];
  readonly widgets: readonly PresenceSession[];
}

/** By user id. Read its entries, never an index that may be inherited: a user may be called `__proto__`. */
export type PresenceData = Readonly<Record<string, PresenceValue>>;

/** A state of a view. `version` rises by one with each diff. */
export interface Position {
  readonly view: string;
  readonly version: number;
}

/** Names a message; its answer repeats it. */
interface MaybeId {
  readonly id?: number | undefined;
}

interface HasId {
  readonly id: number;
}

interface OfSession extends MaybeId {
  /** May be left out while the socket holds exactly one session. */
  readonly sessionId?: string | undefined;
}

/** What a client sends. */
export type ClientMessage =
  | ({ readonly type: "connect"; readonly token: string } & MaybeId)
  | ({ readonly type: "refresh"; readonly token: string } & MaybeId)
  | ({
      readonly type: "open";
      readonly kind: SessionKind;
      /** For app tokens only, which have no user of their own. */
      readonly userId?: string | undefined;
    } & OfSession &
      SessionPatch)
  | ({ readonly type: "update" } & OfSession & SessionPatch)
  | ({ readonly type: "close" } & OfSession)
  | ({
      readonly type: "subscribe";
      readonly filter: PresenceFilter;
      /** The state that the client has already. */
      readonly since?: Position | undefined;
      /** Only the number of users in the result. */
      readonly count?: boolean | undefined;
      /** Diffs may have patches in place of whole values. */
      readonly patch?: boolean | undefined;
    } & HasId)
  | ({ readonly type: "unsubscribe"; readonly view: string } & MaybeId)
  | ({
      readonly type: "query";
      readonly filter: PresenceFilter;
      /** Only the number of users in the result. */
      readonly count?: boolean | undefined;
    } & HasId)
  | ({
      readonly type: "status";
      /** For app tokens only, which have no user of their own. */
      readonly userId?: string | undefined;
    } & MaybeId &
      StatusPatch)
  | ({ readonly type: "last_seen"; readonly userIds: readonly string[] } & HasId)
  | ({ readonly type: "ping" } & MaybeId);

/** Some of the users of a result, as many as fit into one message. */
export interface ResultPage {
  readonly data: PresenceData;
  /** More pages of the same result follow. */
  readonly more?: boolean | undefined;
}

export interface SnapshotPage extends ResultPage, Position {}

/**
 * What has changed in the value of a user whose listed sessions are the same ones in the same order. A value
 * without `changed` is a whole one.
 */
export interface PresencePatch {
  /** By session id: the fields that changed, with their new values. `custom` is whole. */
  readonly changed: Readonly<
    Record<
      string,
      { readonly [Field in Exclude<SessionField, "sessionId">]?: PresenceSession[Field] | undefined }
    >
  >;
  readonly status?: EffectiveStatus | undefined;
  /** null: there is none any more. */
  readonly statusText?: string | null | undefined;
  readonly statusEmoji?: string | null | undefined;
}

export interface Diff extends Position {
  /** null for a user who left. Patches only come to subscribers that asked for them. */
  readonly data: Readonly<Record<string, PresenceValue | PresencePatch | null>>;
  /** Why, for each user who left; absent if nobody did. */
  readonly causes?: Readonly<Record<string, LeaveCause>> | undefined;
}

/** One problem of an input: its path (`filter.userIds.3`; empty for the whole input) and its description. */
export interface Issue {
  readonly path: string;
  readonly message: string;
}

export interface ErrorMessage extends MaybeId {
  readonly type: "error";
  readonly code: ErrorCode;
  /** For people; may change. */
  readonly message: string;
  readonly issues?: readonly Issue[] | undefined;
  readonly retryAfterMs?: number | undefined;
  /** The view of a subscription that ended with this error. */
  readonly view?: string | undefined;
}

/** What the gateway sends. */
export type ServerMessage =
  | ({
      readonly type: "connected";
      /** null for an app token. */
      readonly userId: string | null;
      readonly nodeId: string;
      readonly heartbeatMs: number;
      readonly resumeWindowMs: number;
      /**
       * Names the sessions that this connection shows. Under the same name they are the ones of an earlier
       * connection, continued, on whichever node. Absent: the gateway is of a version that does not say.
       */
      readonly tableId?: string | undefined;
    } & MaybeId)
  | ({ readonly type: "opened"; readonly sessionId: string; readonly resumed: boolean } & MaybeId)
  | ({ readonly type: "closed"; readonly sessionId: string; readonly cause: CloseCause } & MaybeId)
  | ({ readonly type: "snapshot" } & HasId & SnapshotPage)
  | ({ readonly type: "snapshot"; readonly id?: undefined; readonly reason: "lagged" } & SnapshotPage)
  | ({ readonly type: "resumed" } & HasId & Position)
  | ({ readonly type: "diff" } & Diff)
  | ({ readonly type: "result" } & HasId & ResultPage)
  /** The answer to `query` with `count`. */
  | ({ readonly type: "count"; readonly users: number } & HasId & {
        readonly view?: undefined;
        readonly version?: undefined;
      })
  /** The answer to `subscribe` with `count`. */
  | ({ readonly type: "count"; readonly users: number } & HasId & Position)
  /** The number of users in a view has changed. */
  | ({ readonly type: "count"; readonly id?: undefined; readonly users: number } & Position)
  /** By user id; users who were never seen are left out. */
  | ({ readonly type: "last_seen"; readonly data: Readonly<Record<string, LastSeen>> } & HasId)
  | ({ readonly type: "ok" } & HasId)
  | ({ readonly type: "pong" } & MaybeId)
  | { readonly type: "token_expiring"; readonly expiresInMs: number }
  | { readonly type: "draining"; readonly reconnectInMs: number }
  | ErrorMessage;

export type ServerMessageType = ServerMessage["type"];
