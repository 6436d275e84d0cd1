/** What the SDK takes and gives. What goes over the wire as it is comes from the module that the gateway shares. */
import type { LeaveCause as WireLeaveCause } from "../protocol/codes.ts";
import type { PresenceFilter, PresenceValue, SessionFields, SessionKind } from "../protocol/wire.ts";
import type { PresenceError } from "./errors.ts";

export type { PresenceFilter, PresenceSession, PresenceValue, SessionFields } from "../protocol/wire.ts";

/** By user id. Never changed: each change makes another, in which users who did not change are the same objects. */
export type PresenceSnapshot = ReadonlyMap<string, PresenceValue>;

/**
 * Why a user left the result: their session was closed, lost for too long (`timeout`), taken over, ended by the back end, they
 * no longer match (`changed`), or their node died. `unknown`: they left while we were not connected.
 */
export type LeaveCause = WireLeaveCause | "unknown";

/** What happened between one snapshot and the next. The first snapshot has everyone as entered. */
export interface PresenceChange {
  readonly entered: readonly string[];
  readonly updated: readonly string[];
  readonly left: readonly { readonly userId: string; readonly cause: LeaveCause }[];
}

export type PresenceListener = (snapshot: PresenceSnapshot, change: PresenceChange) => void;

export type SubscriptionState = "pending" | "active" | "error" | "unsubscribed";

export interface Subscription {
  /** `pending` until the first snapshot; `active` then, also while the connection is being made again. */
  readonly state: SubscriptionState;
  /** The latest snapshot; undefined until there is one. */
  readonly snapshot: PresenceSnapshot | undefined;
  /** Why the state is `error`. */
  readonly error: PresenceError | undefined;
  /** Resolves with the first snapshot. Rejects with a `PresenceError` if it can't be had, or was unsubscribed before. */
  readonly connected: Promise<PresenceSnapshot>;
  /** No callback comes after this. */
  unsubscribe(): void;
}

export interface SubscribeOptions {
  /** The subscription has ended with an error, at once or later: say, a new token that does not allow it. */
  readonly onError?: (error: PresenceError) => void;
}

export interface OpenOptions extends SessionFields {
  readonly kind: SessionKind;
  /** For app tokens only, which have no user of their own. */
  readonly userId?: string | undefined;
  /** Says by itself whether the page is visible and has the focus (and the widget is visible). */
  readonly trackFocus?: boolean | undefined;
  /** The name under which the next page finds this session, to go on with it. Sessions of a page are numbered unless it is given. */
  readonly key?: string | undefined;
  /** The session has ended, not by `close()`: kicked by a back end, or refused. */
  readonly onEnd?: ((reason: SessionEnd) => void) | undefined;
}

export interface SessionEnd {
  readonly cause: "kicked" | "error";
  readonly error?: PresenceError;
}

export type SessionState = "pending" | "open" | "closed";

export interface Session {
  /** `pending` until the gateway has it, and while the connection is being made again. */
  readonly state: SessionState;
  /** The gateway's id for it, while it is open. */
  readonly id: string | undefined;
  /** Selects a conversation, or none. Typing ends. */
  select(conversationId: string | null): void;
  /** The user types. Call it on each key: it is sent at most every 4 s, and typing ends by itself 5 s after the last call. */
  typing(): void;
  stopTyping(): void;
  set(fields: SessionFields): void;
  /** Ends it at once. */
  close(): void;
}

/**
 * `idle`: nothing asked for yet. `reconnecting`: the connection was lost, or could not be made yet; what is shown may be old.
 * `failed`: the gateway does not want this client back, the reason is the error. `closed`: by `close()`.
 */
export type Status = "idle" | "connecting" | "connected" | "reconnecting" | "failed" | "closed";

export interface StatusDetail {
  /** Why it is `reconnecting` or `failed`, where that is known. */
  readonly error?: PresenceError | undefined;
  /** When it is `reconnecting`: how long until the next try. */
  readonly retryInMs?: number | undefined;
}

export interface ClientEvents {
  status: (status: Status, detail: StatusDetail) => void;
  /** The gateway refused something that has no other place to be told. */
  error: (error: PresenceError) => void;
}

export interface PresenceClient {
  /**
   * Opens a session. The connection is made when it is first needed. Throws a `TypeError` for fields that can't be valid, and for a
   * `key` that is in use; all else that the gateway refuses comes to `onEnd`.
   */
  open(options: OpenOptions): Session;
  /** Watches a filter. Never calls back before it returns. A filter that the gateway refuses ends it with an error. */
  subscribe(filter: PresenceFilter, listener: PresenceListener, options?: SubscribeOptions): Subscription;
  /** Asks once. Goes on over a lost connection; rejects with a `PresenceError`, at the latest after 30 s. */
  query(filter: PresenceFilter): Promise<PresenceSnapshot>;
  status(): Status;
  /** Returns a function that takes the listener off again. */
  on<Event extends keyof ClientEvents>(event: Event, listener: ClientEvents[Event]): () => void;
  /** Ends all sessions and subscriptions; resolves when the connection is closed. */
  close(): Promise<void>;
}

export type TokenSource = string | (() => string | Promise<string>);

export interface ClientOptions {
  /** The gateway's base address: http, https, ws or wss. */
  readonly url: string;
  readonly appId: string;
  /** A token, or what gets one: asked again before it expires, and once when it is refused. */
  readonly token: TokenSource;
  /** For runtimes without a global one (Node before 22): the class of the `ws` package, say. */
  readonly WebSocket?: WebSocketConstructor | undefined;
  /** The most users that one filter may bring; a subscription with more ends with an error. 250,000 by default. */
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

export type WebSocketConstructor = new (url: string, protocols: string) => WebSocketLike;
