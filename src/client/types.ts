/**
 * The types of the SDK's interface. Those that go over the wire unchanged come from the module that the
 * gateway shares.
 */
import type { LeaveCause as WireLeaveCause } from "../protocol/codes.ts";
import type {
  EffectiveStatus,
  PresenceFilter,
  PresenceSession,
  PresenceValue,
  SessionField,
  SessionFields,
  SessionKind,
} from "../protocol/wire.ts";
import type { PresenceError } from "./errors.ts";

export type {
  Availability,
  EffectiveStatus,
  PresenceFilter,
  PresenceSession,
  PresenceValue,
  SessionField,
  SessionFields,
  VisibleStatus,
} from "../protocol/wire.ts";

/**
 * Users by id, in the order of their ids, as `<` compares text. Never changed: each change makes another, in
 * which users who did not change are the same objects. That costs the size of the change, not of the list.
 */
export type PresenceSnapshot<Value = PresenceValue> = ReadonlyMap<string, Value>;

type Lists = "backgroundSessions" | "widgets";

/** What a filter lists of a user: of each session only its `fields`, if it has any; without them, all. */
export type ValueOf<Filter extends PresenceFilter> = Filter extends {
  readonly fields: readonly (infer Field extends SessionField)[];
}
  ? [Field] extends [never]
    ? Omit<PresenceValue, Lists>
    : Omit<PresenceValue, Lists> & ListsOf<ListedSession<Filter["fields"], Field>>
  : PresenceValue;

/** Of a list that is not written in place nobody knows which fields it has. */
type ListedSession<Fields, Field extends SessionField> = Fields extends readonly unknown[]
  ? number extends Fields["length"]
    ? Partial<PresenceSession>
    : Pick<PresenceSession, Field>
  : never;

/** Both are absent if `fields` is empty. */
type ListsOf<Listed> = { readonly [List in Lists]: readonly Listed[] };

/**
 * Why a user left the result: their session was closed, lost for too long (`timeout`), taken over or ended by
 * the back end, they no longer match (`changed`), or their node died. `unknown`: they left while this client
 * was not connected, or was too slow a reader.
 */
export type LeaveCause = WireLeaveCause | "unknown";

/** What happened between one snapshot and the next. The first snapshot has everyone as entered. */
export interface PresenceChange {
  readonly entered: readonly string[];
  readonly updated: readonly string[];
  readonly left: readonly { readonly userId: string; readonly cause: LeaveCause }[];
}

export type PresenceListener<Value = PresenceValue> = (
  snapshot: PresenceSnapshot<Value>,
  change: PresenceChange,
) => void;

export type SubscriptionState = "pending" | "active" | "error" | "unsubscribed";

export interface Subscription<Value = PresenceValue> {
  /** `pending` until the first snapshot, then `active`, also while the client reconnects. */
  readonly state: SubscriptionState;
  /** The latest snapshot; undefined until there is one. */
  readonly snapshot: PresenceSnapshot<Value> | undefined;
  /** Why the state is `error`. */
  readonly error: PresenceError | undefined;
  /**
   * Resolves with the first snapshot. Rejects with a `PresenceError` if there will be none, or after
   * `unsubscribe()`.
   */
  readonly connected: Promise<PresenceSnapshot<Value>>;
  /** Ends the subscription. No callback comes after this. */
  unsubscribe(): void;
}

export interface SubscribeOptions {
  /**
   * The subscription has ended with an error, at once or later, for example after a new token does not allow
   * it.
   */
  readonly onError?: (error: PresenceError) => void;
}

export interface OpenOptions extends SessionFields {
  readonly kind: SessionKind;
  /** For app tokens only, which have no user of their own. */
  readonly userId?: string | undefined;
  /**
   * The SDK sets `hasFocus` itself: true while the page is visible and has the focus, and the widget is
   * visible.
   */
  readonly trackFocus?: boolean | undefined;
  /**
   * The name under which the next page finds this session and resumes it. Sessions without one are numbered.
   */
  readonly key?: string | undefined;
  /** The session has ended without `close()`: a back end ended it, or the gateway refused it. */
  readonly onEnd?: ((reason: SessionEnd) => void) | undefined;
}

/** The status of a user who is there, or when others last saw the user, in milliseconds since 1970. */
export type LastSeen = { readonly status: EffectiveStatus } | { readonly lastSeenAt: number };

export interface SessionEnd {
  readonly cause: "kicked" | "error";
  readonly error?: PresenceError;
}

export type SessionState = "pending" | "open" | "closed";

export interface Session {
  /** `pending` until the gateway has it, and while the client reconnects. */
  readonly state: SessionState;
  /** The gateway's id for it, while it is open. */
  readonly id: string | undefined;
  /** Selects a conversation, or none. Typing ends. Throws a `TypeError` for what is no id. */
  select(conversationId: string | null): void;
  /**
   * The user types. Call it on each key: it is sent at most every 4 s, and typing ends 5 s after the last
   * call.
   */
  typing(): void;
  /** Typing ends now: the message was sent, or the field is left. */
  stopTyping(): void;
  /** Sets these fields. Throws a `TypeError`, and changes nothing, for values that cannot be valid. */
  set(fields: SessionFields): void;
  /** Ends the session at once. */
  close(): void;
}

/**
 * `idle`: nothing to connect for. `reconnecting`: the connection was lost or could not be made yet, so what
 * is shown may be old. `failed`: another attempt would fail as well; the error says why. `closed`: after
 * `close()`.
 */
export type Status = "idle" | "connecting" | "connected" | "reconnecting" | "failed" | "closed";

export interface StatusDetail {
  /** Why the status is `reconnecting` or `failed`, where that is known. */
  readonly error?: PresenceError | undefined;
  /** While `reconnecting`: milliseconds until the next attempt. */
  readonly retryInMs?: number | undefined;
}

export interface ClientEvents {
  status: (status: Status, detail: StatusDetail) => void;
  /** The gateway refused a message, and no session, subscription or query is the place to report it. */
  error: (error: PresenceError) => void;
}

export interface PresenceClient {
  /**
   * Opens a session, and connects if that is needed. Throws a `TypeError` for fields that cannot be valid,
   * and for a `key` that is in use. Everything else that the gateway refuses comes to `onEnd`.
   */
  open(options: OpenOptions): Session;
  /**
   * Subscribes to a filter. The listener is never called before this returns. A filter that the gateway
   * refuses ends the subscription with an error.
   */
  subscribe<const Filter extends PresenceFilter>(
    filter: Filter,
    listener: PresenceListener<ValueOf<Filter>>,
    options?: SubscribeOptions,
  ): Subscription<ValueOf<Filter>>;
  /**
   * Resolves with the result of a filter, once. It survives a lost connection. Rejects with a
   * `PresenceError`, after 30 s at the latest.
   */
  query<const Filter extends PresenceFilter>(filter: Filter): Promise<PresenceSnapshot<ValueOf<Filter>>>;
  status(): Status;
  /**
   * Connects now, without waiting for the next attempt. A client that has failed can be used again; what had
   * ended with the error has to be opened and subscribed to anew. Does nothing once the client is closed.
   */
  reconnect(): void;
  /** Adds a listener. Returns a function that removes it. */
  on<Event extends keyof ClientEvents>(event: Event, listener: ClientEvents[Event]): () => void;
  /**
   * Ends all sessions, subscriptions and queries. Resolves when the connection is closed, after 2 s at the
   * latest.
   */
  close(): Promise<void>;
}

/**
 * A function that gets a token, at best from the app's server. A text is for programs that end before it
 * expires: nothing renews it, and a client whose text has expired fails.
 */
export type TokenSource = string | (() => string | Promise<string>);

export interface ClientOptions {
  /** The gateway's base address: http, https, ws or wss. In a page it may be relative to the page. */
  readonly url: string;
  readonly appId: string;
  /**
   * A function that gets a token, or a token. The function is called again before the token expires, and when
   * it brought no valid one. A text cannot be replaced: once it is refused, the client has failed.
   */
  readonly token: TokenSource;
  /**
   * For runtimes without a global `WebSocket` (Node before 22), for example the class of the package `ws`.
   * Without any, a client that is needed fails.
   */
  readonly WebSocket?: WebSocketConstructor | undefined;
  /**
   * The most users that one filter may bring, 250,000 by default. More end the subscription or query with an
   * error.
   */
  readonly maxUsers?: number | undefined;
}

/** The part of the browser's WebSocket that is used. */
export interface WebSocketLike {
  readonly readyState: number;
  readonly bufferedAmount: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(text: string): void;
  close(code?: number, reason?: string): void;
}

export type WebSocketConstructor = new (url: string) => WebSocketLike;
