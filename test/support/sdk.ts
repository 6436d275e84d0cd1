import { WebSocket } from "ws";
import { createClient } from "../../src/client/index.ts";
import type { OnAnswer, OnRefusal, Requests, Unnumbered } from "../../src/client/requests.ts";
import type {
  ClientOptions,
  PresenceChange,
  PresenceClient,
  PresenceSnapshot,
  PresenceValue,
  StatusDetail,
  WebSocketConstructor,
} from "../../src/client/types.ts";
import { APP } from "./gateway.ts";

/** An SDK client with the WebSocket of the `ws` package. It records its events. */
export class TestSdk {
  readonly client: PresenceClient;
  readonly statuses: string[] = [];
  readonly details: StatusDetail[] = [];
  readonly errors: { readonly code: string; readonly message: string }[] = [];

  constructor(url: string, token: ClientOptions["token"], options: Partial<ClientOptions> = {}) {
    this.client = createClient({
      url,
      appId: APP,
      token,
      WebSocket: WebSocket as unknown as WebSocketConstructor,
      ...options,
    });
    this.client.on("status", (status, detail) => {
      this.statuses.push(status);
      this.details.push(detail);
    });
    this.client.on("error", (error) => this.errors.push(error));
  }

  /** Subscribes and records what arrives. */
  watch(filter: Parameters<PresenceClient["subscribe"]>[0]): Watched {
    return new Watched(this.client, filter);
  }
}

/**
 * A subscription that records all calls of its listener. It checks that each change is the difference between
 * two snapshots.
 */
export class Watched {
  readonly changes: PresenceChange[] = [];
  readonly snapshots: PresenceSnapshot[] = [];
  readonly errors: { readonly code: string }[] = [];
  readonly subscription: ReturnType<PresenceClient["subscribe"]>;

  constructor(client: PresenceClient, filter: Parameters<PresenceClient["subscribe"]>[0]) {
    this.subscription = client.subscribe(
      filter,
      (snapshot, change) => {
        this.#check(snapshot, change);
        this.snapshots.push(snapshot);
        this.changes.push(change);
      },
      { onError: (error) => this.errors.push(error) },
    );
  }

  get data(): Record<string, PresenceValue> {
    return plain(this.subscription.snapshot ?? new Map());
  }

  #check(snapshot: PresenceSnapshot, { entered, updated, left }: PresenceChange): void {
    const before = this.snapshots.at(-1) ?? new Map<string, PresenceValue>();
    const problem = (what: string, userId: string) => {
      throw new Error(`${userId} ${what}: ${JSON.stringify({ entered, updated, left })}`);
    };
    const touched = new Set([...entered, ...updated, ...left.map(({ userId }) => userId)]);
    if (touched.size !== entered.length + updated.length + left.length)
      problem("", "somebody is in it twice");
    if (touched.size === 0 && this.snapshots.length > 0) problem("", "nothing has changed");
    for (const userId of entered) if (before.has(userId) || !snapshot.has(userId)) problem("entered", userId);
    for (const userId of updated)
      if (!before.has(userId) || !snapshot.has(userId)) problem("updated", userId);
    for (const { userId } of left) if (!before.has(userId) || snapshot.has(userId)) problem("left", userId);
    for (const userId of new Set([...before.keys(), ...snapshot.keys()])) {
      if (!touched.has(userId) && before.get(userId) !== snapshot.get(userId))
        problem("changed untold", userId);
    }
  }
}

/** An object without a prototype, as on the wire, because a user may be called `__proto__`. */
export function plain(snapshot: PresenceSnapshot): Record<string, PresenceValue> {
  return Object.assign(Object.create(null), Object.fromEntries(snapshot));
}

/** A user with one widget. */
export function someone(sessionId = "s", fields: Record<string, unknown> = {}): PresenceValue {
  const session = {
    selectedConversationId: null,
    custom: {},
    hasFocus: false,
    isTyping: false,
    sessionId,
    ...fields,
  };
  return { status: "online", backgroundSessions: [], widgets: [session] } as PresenceValue;
}

/** Requests that are only remembered. */
export function fakeRequests(others: Partial<Requests> = {}) {
  const sent: { message: Unnumbered; answered: OnAnswer; refused: OnRefusal }[] = [];
  const request: Requests["request"] = (message, answered, refused) =>
    sent.push({ message, answered, refused });
  return { sent, requests: { request, ...others } as Requests };
}
