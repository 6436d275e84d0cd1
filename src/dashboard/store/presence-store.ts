import { createClient } from "../../client/client.ts";
import type { PresenceError } from "../../client/errors.ts";
import type {
  PresenceChange,
  PresenceClient,
  PresenceFilter,
  PresenceSnapshot,
  Status,
  StatusDetail,
  Subscription,
} from "../../client/types.ts";
import { ActivityLog } from "../model/activity-log.ts";
import { type Credentials, endsWithin } from "../model/credentials.ts";
import { type DashboardState, isSameFilter } from "../model/dashboard-state.ts";
import { History } from "../model/history.ts";
import type { RowContext } from "../model/row.ts";
import { Rows } from "../model/rows.ts";
import { timesOfArrival } from "../model/session-times.ts";
import { gatewayAddress } from "./address.ts";
import { Topic } from "./topic.ts";
import { UserSessions } from "./user-sessions.ts";

/** State of the connection between the page and the gateway. Times are in milliseconds since 1970. */
export type Phase =
  | { readonly kind: "connecting" }
  | { readonly kind: "live" }
  | { readonly kind: "reconnecting"; readonly asOf: number | undefined; readonly retryAt: number | undefined }
  /** The gateway refuses this token, or refuses this filter for this token. */
  | { readonly kind: "refused"; readonly message: string }
  | { readonly kind: "failed"; readonly message: string };

const SECOND = 1_000;
/** The gateway asks for the next token a minute before the end. Its clock may be another. */
const RENEW_BEFORE_MS = 120_000;
/** The filter is the only input of the user that can make a message invalid. */
const BAD_FILTER =
  "The gateway does not accept this filter. An id has at most 255 characters and no control characters. " +
  "A filter has at most 1,000 user ids.";
const BAD_CUSTOM =
  "Custom fields without users and without a conversation need one that the app indexes (indexedCustom). " +
  "A filter has at most 4 custom fields with 16 values each.";

/**
 * All presence data of the page. It subscribes to one filter at a time and samples its counts every second.
 * Besides, it follows the users whose details are open.
 */
export class PresenceStore {
  /** The rows as they arrive, also while the page is paused. */
  readonly live = new Rows();
  readonly activity = new ActivityLog();
  readonly history = new History();
  /** Notifies when rows, activity, counts or phase change. */
  readonly changed = new Topic();
  /** Notifies once a second. */
  readonly ticked = new Topic();
  #credentials: Credentials;
  /** Resolves with the next token. Undefined while nothing waits for it. */
  #renewal: { readonly token: Promise<string>; readonly resolve: (token: string) => void } | undefined;
  #wasAccepted = false;
  readonly #timer: ReturnType<typeof setInterval>;
  #client: PresenceClient;
  #subscription: Subscription | undefined;
  #state: DashboardState;
  #phase: Phase = { kind: "connecting" };
  #isPending = true;
  /** The filter of the rows. */
  #listed: PresenceFilter | undefined;
  #since = 0;
  #liveAt: number | undefined;
  #changes = 0;
  #sampledAt = Date.now();
  /** Whether the page was offline, so that the next change tells of what happened before. */
  #isCatchingUp = false;
  #pause: { readonly at: number; readonly rows: Rows } | undefined;
  readonly #followed = new Set<UserSessions>();

  constructor(credentials: Credentials, state: DashboardState) {
    this.#credentials = credentials;
    this.#state = state;
    this.live.arrange(state.search, state.sort);
    this.#client = this.#connect();
    this.#subscribe(state.filter);
    this.#timer = setInterval(() => this.#tick(), SECOND);
  }

  /** The rows that the page shows. They stand still while it is paused. */
  get rows(): Rows {
    return this.#pause?.rows ?? this.live;
  }

  /** Since when the page is paused, in milliseconds since 1970; undefined if it is not. */
  get pausedAt(): number | undefined {
    return this.#pause?.at;
  }

  get phase(): Phase {
    return this.#phase;
  }

  /**
   * Whether the first snapshot of the filter is still missing, so the rows are those of the previous filter.
   */
  get isPending(): boolean {
    return this.#isPending;
  }

  /** Whether the rows are up to date. */
  get isLive(): boolean {
    return this.#phase.kind === "live";
  }

  /** When the first snapshot of this filter arrived, in milliseconds since 1970; 0 before that. */
  get since(): number {
    return this.#since;
  }

  /** Shows another state. A new filter ends a pause. */
  show(state: DashboardState): void {
    const before = this.#state;
    this.#state = state;
    this.live.arrange(state.search, state.sort);
    this.#pause?.rows.arrange(state.search, state.sort);
    if (!isSameFilter(before.filter, state.filter)) {
      this.resume();
      this.#isPending = true;
      this.#subscribe(state.filter);
    }
    this.changed.notify();
  }

  /** Table and activity stand still until `resume`. Everything still arrives, so nothing is missed. */
  pause(): void {
    this.#pause ??= { at: Date.now(), rows: this.live.copy() };
    this.activity.hold();
    this.changed.notify();
  }

  resume(): void {
    this.#pause = undefined;
    this.activity.release();
    this.changed.notify();
  }

  /** Subscribes to all sessions of a user, until the result is closed. */
  follow(userId: string): UserSessions {
    const sessions = new UserSessions(
      userId,
      () => this.live.get(userId),
      (closed) => this.#followed.delete(closed),
    );
    this.#followed.add(sessions);
    sessions.attach(this.#client);
    return sessions;
  }

  /**
   * Continues with another token of the same app. The gateway learns of it when it asks for one, or when the
   * page connects again. A page that waits to connect does so at once.
   */
  renew(credentials: Credentials): void {
    if (credentials.token === this.#credentials.token) return;
    this.#credentials = credentials;
    this.#wasAccepted = false;
    this.#renewal?.resolve(credentials.token);
    this.#renewal = undefined;
    if (this.#phase.kind === "refused" || this.#phase.kind === "failed") this.retry();
    // The wait before the next attempt may be long.
    else if (this.#phase.kind === "reconnecting") this.#client.reconnect();
  }

  /** Connects again after a failure. */
  retry(): void {
    void this.#client.close();
    this.#phase = { kind: "connecting" };
    this.#client = this.#connect();
    this.#subscribe(this.#state.filter);
    for (const sessions of this.#followed) sessions.attach(this.#client);
    this.changed.notify();
  }

  close(): void {
    clearInterval(this.#timer);
    void this.#client.close();
  }

  #connect(): PresenceClient {
    const { appId } = this.#credentials;
    const client = createClient({ url: gatewayAddress(), appId, token: () => this.#takeToken() });
    client.on("status", (status, detail) => {
      if (client === this.#client) this.#onStatus(status, detail);
    });
    return client;
  }

  /**
   * A token that was good and is about to end is followed by the next one, whenever that comes. Meanwhile the
   * subscription lives, so nothing of the page is lost.
   */
  #takeToken(): string | Promise<string> {
    const isSpent = this.#wasAccepted && endsWithin(this.#credentials, RENEW_BEFORE_MS, Date.now());
    if (!isSpent) return this.#credentials.token;
    if (this.#renewal === undefined) {
      let resolve: (token: string) => void = () => {};
      const token = new Promise<string>((resolveToken) => {
        resolve = resolveToken;
      });
      this.#renewal = { token, resolve };
    }
    return this.#renewal.token;
  }

  #onStatus(status: Status, { error, retryInMs }: StatusDetail): void {
    const now = Date.now();
    if (this.#phase.kind === "live" && status !== "connected") {
      this.#liveAt = now;
      this.#isCatchingUp = true;
    }
    if (status === "connected") {
      this.#phase = { kind: "live" };
      this.#wasAccepted = true;
    } else if (status === "reconnecting") {
      const retryAt = retryInMs === undefined ? undefined : now + retryInMs;
      this.#phase = { kind: "reconnecting", asOf: this.#liveAt, retryAt };
    } else if (status === "connecting" && this.#phase.kind !== "reconnecting") {
      this.#phase = { kind: "connecting" };
    } else if (status === "failed") this.#fail(error);
    this.changed.notify();
  }

  #subscribe(filter: PresenceFilter): void {
    const before = this.#subscription;
    if (this.#phase.kind === "refused" || this.#phase.kind === "failed") {
      this.#phase = { kind: this.#client.status() === "connected" ? "live" : "connecting" };
    }
    let isFirst = true;
    const listener = (snapshot: PresenceSnapshot, change: PresenceChange) => {
      if (isFirst) this.#start(snapshot);
      else this.#apply(snapshot, change);
      isFirst = false;
      this.changed.notify();
    };
    try {
      const subscription = this.#client.subscribe(filter, listener, {
        onError: (error) => {
          if (subscription === this.#subscription) this.#fail(error);
        },
      });
      this.#subscription = subscription;
      // onError receives the same error.
      subscription.connected.catch(() => {});
    } catch (error) {
      this.#subscription = undefined;
      this.#phase = { kind: "failed", message: `The filter is not valid: ${(error as Error).message}` };
    }
    // Only now: a client without any subscription would close its connection.
    before?.unsubscribe();
  }

  #start(snapshot: PresenceSnapshot): void {
    const now = Date.now();
    const { filter } = this.#state;
    const isOther = this.#listed !== undefined && !isSameFilter(this.#listed, filter);
    this.#listed = filter;
    this.#isPending = false;
    this.#since = now;
    this.#isCatchingUp = false;
    this.live.reset(snapshot, this.#context(now, false));
    if (isOther) {
      this.activity.addDivider(now);
      this.history.mark(now / SECOND);
    }
    this.#changes = 0;
    this.#sample();
  }

  #apply(snapshot: PresenceSnapshot, change: PresenceChange): void {
    const now = Date.now();
    this.#changes++;
    this.live.apply(snapshot, change, this.#context(now, !this.#isCatchingUp));
    this.#isCatchingUp = false;
    this.activity.add(change, now);
  }

  #context(now: number, isSeen: boolean): RowContext {
    const { filter } = this.#state;
    const shows = typeof filter.selectedConversationId === "string" ? "conversation" : "online";
    return { arrival: timesOfArrival(filter, now, isSeen), shows };
  }

  #fail(error: PresenceError | undefined): void {
    const message =
      error?.code === "BAD_MESSAGE"
        ? `${BAD_FILTER}${this.#state.filter.custom === undefined ? "" : ` ${BAD_CUSTOM}`}`
        : (error?.message ?? "The gateway gives no reason.");
    const isRefused = error?.code === "FORBIDDEN" || error?.code === "UNAUTHENTICATED";
    this.#phase = { kind: isRefused ? "refused" : "failed", message };
    this.changed.notify();
  }

  #tick(): void {
    if (!this.#isPending) this.#sample();
    this.ticked.notify();
  }

  #sample(): void {
    const now = Date.now();
    const { users, focused, typing } = this.live.counts;
    // Browsers run the timers of a background page less often.
    const seconds = Math.max(0.2, (now - this.#sampledAt) / SECOND);
    const isKnown = this.#phase.kind === "live";
    this.history.push(now / SECOND, {
      online: isKnown ? users : null,
      focused: isKnown ? focused : null,
      typing: isKnown ? typing : null,
      changesPerSecond: isKnown ? this.#changes / seconds : null,
    });
    this.#changes = 0;
    this.#sampledAt = now;
  }
}
