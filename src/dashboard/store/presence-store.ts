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
import { Feed } from "../model/activity-log.ts";
import type { Credentials } from "../model/credentials.ts";
import { isSameFilter, type View } from "../model/dashboard-state.ts";
import { History } from "../model/history.ts";
import { Rows } from "../model/rows.ts";
import { Topic } from "./topic.ts";

/** How it stands between the page and the gateway. Times are milliseconds since 1970. */
export type Phase =
  | { readonly kind: "connecting" }
  | { readonly kind: "live" }
  | { readonly kind: "reconnecting"; readonly asOf: number | undefined; readonly retryAt: number | undefined }
  /** The gateway does not want this token, or not for this filter. */
  | { readonly kind: "refused"; readonly message: string }
  | { readonly kind: "failed"; readonly message: string };

const SECOND = 1_000;
/** The one thing of ours that the gateway can find fault with. */
const BAD_FILTER =
  "The gateway does not take this filter: ids have at most 255 characters and no control characters, and there are at most 1,000 of users.";

/** What the page knows of who is there: follows one filter at a time, and counts it every second. */
export class Watch {
  readonly rows = new Rows();
  readonly feed = new Feed();
  readonly history = new History();
  /** Rows, feed, counts or phase have changed. */
  readonly changed = new Topic();
  /** A second has passed. */
  readonly ticked = new Topic();
  readonly #credentials: Credentials;
  readonly #timer: ReturnType<typeof setInterval>;
  #client: PresenceClient;
  #subscription: Subscription | undefined;
  #view: View;
  #phase: Phase = { kind: "connecting" };
  #isPending = true;
  #since = 0;
  #liveAt: number | undefined;
  #diffs = 0;
  #sampledAt = Date.now();

  constructor(credentials: Credentials, view: View) {
    this.#credentials = credentials;
    this.#view = view;
    this.rows.arrange(view.search, view.sort);
    this.#client = this.#connect();
    this.#subscribe(view.filter);
    this.#timer = setInterval(() => this.#tick(), SECOND);
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** Whether the rows are not those of the filter yet. */
  get isPending(): boolean {
    return this.#isPending;
  }

  /** Whether what is shown is what there is. */
  get isLive(): boolean {
    return this.#phase.kind === "live";
  }

  /** Since when this filter is followed. */
  get since(): number {
    return this.#since;
  }

  show(view: View): void {
    const before = this.#view;
    this.#view = view;
    this.rows.arrange(view.search, view.sort);
    if (!isSameFilter(before.filter, view.filter)) {
      this.#isPending = true;
      this.#subscribe(view.filter);
    }
    this.changed.notify();
  }

  /** Begins anew after a failure. */
  retry(): void {
    void this.#client.close();
    this.#phase = { kind: "connecting" };
    this.#client = this.#connect();
    this.#subscribe(this.#view.filter);
    this.changed.notify();
  }

  close(): void {
    clearInterval(this.#timer);
    void this.#client.close();
  }

  #connect(): PresenceClient {
    const { appId, token } = this.#credentials;
    const client = createClient({ url: location.origin, appId, token });
    client.on("status", (status, detail) => {
      if (client === this.#client) this.#follow(status, detail);
    });
    return client;
  }

  #follow(status: Status, { error, retryInMs }: StatusDetail): void {
    const now = Date.now();
    if (this.#phase.kind === "live") this.#liveAt = now;
    if (status === "connected") this.#phase = { kind: "live" };
    else if (status === "reconnecting") {
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
      if (isFirst) this.#begin(snapshot);
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
      // The same error comes to onError.
      subscription.connected.catch(() => {});
    } catch (error) {
      this.#subscription = undefined;
      this.#phase = { kind: "failed", message: `The filter cannot be: ${(error as Error).message}` };
    }
    // After the next one is there, so that the connection is wanted all the time.
    before?.unsubscribe();
  }

  #begin(snapshot: PresenceSnapshot): void {
    this.#isPending = false;
    this.#since = Date.now();
    this.rows.reset(snapshot);
    this.feed.clear();
    this.history.clear();
    this.#diffs = 0;
    this.#sample();
  }

  #apply(snapshot: PresenceSnapshot, change: PresenceChange): void {
    const now = Date.now();
    this.#diffs++;
    this.rows.apply(snapshot, change, now);
    this.feed.note(change, now);
  }

  #fail(error: PresenceError | undefined): void {
    const message =
      error?.code === "BAD_MESSAGE" ? BAD_FILTER : (error?.message ?? "The gateway does not say why.");
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
    const { users, focused, typing } = this.rows.counts;
    // A page in the background has its timers called more seldom.
    const seconds = Math.max(0.2, (now - this.#sampledAt) / SECOND);
    const isKnown = this.#phase.kind === "live";
    this.history.push(now / SECOND, {
      online: isKnown ? users : null,
      focused: isKnown ? focused : null,
      typing: isKnown ? typing : null,
      diffsPerSecond: isKnown ? this.#diffs / seconds : null,
    });
    this.#diffs = 0;
    this.#sampledAt = now;
  }
}
