import { PresenceError, violation } from "./errors.ts";
import type { NormalFilter } from "./filter.ts";
import { LiveUsers } from "./live-users.ts";
import type { Requests } from "./requests.ts";
import type { Diff, Page } from "./server-message.ts";
import type {
  PresenceChange,
  PresenceListener,
  PresenceSnapshot,
  SubscribeOptions,
  Subscription,
  SubscriptionState,
} from "./types.ts";

/** The watches of the present connection, by the view that the gateway has for each. */
export type WatchesByView = Map<string, Watch>;

/** What a watch tells those who keep it. */
export interface WatchKeeper {
  /** It is to be asked for again, but later. */
  delayed(watch: Watch, afterMs: number): void;
  /** Its request was answered. */
  settled(watch: Watch): void;
  /** It can't go on. */
  failed(watch: Watch, error: PresenceError): void;
}

/** What everybody who is interested in one filter shares: one view on the wire, one state. */
export class Watch {
  readonly #filter: NormalFilter;
  readonly #byView: WatchesByView;
  readonly #keeper: WatchKeeper;
  readonly #users: LiveUsers;
  readonly #subscribers = new Set<WatchSubscription>();
  /** Where its request is on this connection. */
  #request: "none" | "delayed" | "asked" | "ended" = "none";
  #view: string | undefined;

  constructor(filter: NormalFilter, byView: WatchesByView, keeper: WatchKeeper, maxUsers: number) {
    this.#filter = filter;
    this.#byView = byView;
    this.#keeper = keeper;
    this.#users = new LiveUsers(maxUsers);
  }

  get key(): string {
    return this.#filter.key;
  }

  get isUnused(): boolean {
    return this.#subscribers.size === 0;
  }

  get isAsked(): boolean {
    return this.#request === "asked";
  }

  get isDelayed(): boolean {
    return this.#request === "delayed";
  }

  /** The gateway's name for it, while it sends us what changes. */
  get view(): string | undefined {
    return this.#view;
  }

  add(subscription: WatchSubscription): void {
    this.#subscribers.add(subscription);
    const { snapshot } = this.#users;
    if (snapshot !== undefined) subscription.deliver(snapshot, everybodyIn(snapshot));
  }

  remove(subscription: WatchSubscription): void {
    this.#subscribers.delete(subscription);
  }

  /** Asks for the view, and only for what was missed if we had it before. */
  ask(requests: Requests): void {
    this.#request = "asked";
    const since = this.#users.position;
    requests.ask(
      { type: "subscribe", filter: this.#filter.filter, ...(since && { since }) },
      {
        answered: (answer) => {
          if (this.#request === "ended") return false;
          if (answer.type === "snapshot") {
            this.page(answer);
            if (answer.more) return true;
          } else if (answer.type === "resumed") {
            if (answer.view !== since?.view || answer.version !== since.version)
              throw violation("another position");
            this.#bind(answer.view);
          } else {
            throw violation("an answer of another type");
          }
          this.#request = "none";
          this.#keeper.settled(this);
          return false;
        },
        refused: ({ error, retryAfterMs }) => {
          if (this.#request === "ended") return;
          this.#request = "delayed";
          if (retryAfterMs > 0) this.#keeper.delayed(this, retryAfterMs);
          else this.#keeper.failed(this, error);
        },
      },
    );
  }

  page(page: Page): void {
    this.#bind(page.view);
    const isFirst = this.#users.snapshot === undefined;
    this.#take(() => this.#users.page(page), isFirst);
  }

  diff(diff: Diff): void {
    this.#take(() => this.#users.diff(diff), false);
  }

  /** The connection is lost: what was asked on it will not be answered. */
  interrupted(): void {
    this.#request = "none";
    this.#view = undefined;
    this.#users.interrupted();
  }

  /** It is over; with an error, its subscribers are told. */
  end(error?: PresenceError): void {
    this.#request = "ended";
    if (this.#view !== undefined) this.#byView.delete(this.#view);
    if (error !== undefined) for (const subscription of this.#subscribers) subscription.fail(error);
    this.#subscribers.clear();
  }

  #bind(view: string): void {
    if (this.#view === view) return;
    if (this.#byView.has(view)) throw violation("one view for two filters");
    if (this.#view !== undefined) this.#byView.delete(this.#view);
    this.#view = view;
    this.#byView.set(view, this);
  }

  #take(step: () => PresenceChange | undefined, isFirst: boolean): void {
    let change: PresenceChange | undefined;
    try {
      change = step();
    } catch (error) {
      // Too many users for one filter are no reason to give up the connection.
      if (!(error instanceof PresenceError) || error.code !== "LIMIT_REACHED") throw error;
      this.#keeper.failed(this, error);
    }
    if (change === undefined) return;
    const { entered, updated, left } = change;
    if (!isFirst && entered.length + updated.length + left.length === 0) return;
    for (const subscription of this.#subscribers) subscription.deliver(this.#users.snapshot!, change);
  }
}

function everybodyIn(snapshot: PresenceSnapshot): PresenceChange {
  return { entered: [...snapshot.keys()], updated: [], left: [] };
}

/** One listener of a watch. */
export class WatchSubscription implements Subscription {
  readonly connected: Promise<PresenceSnapshot>;
  readonly #listener: PresenceListener;
  readonly #onError: SubscribeOptions["onError"];
  readonly #onUnsubscribe: (subscription: WatchSubscription) => void;
  #state: SubscriptionState = "pending";
  #snapshot: PresenceSnapshot | undefined;
  #error: PresenceError | undefined;
  #resolve!: (snapshot: PresenceSnapshot) => void;
  #reject!: (error: PresenceError) => void;

  constructor(
    listener: PresenceListener,
    { onError }: SubscribeOptions,
    onUnsubscribe: (subscription: WatchSubscription) => void,
  ) {
    this.#listener = listener;
    this.#onError = onError;
    this.#onUnsubscribe = onUnsubscribe;
    this.connected = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Who does not wait for it is told by the state.
    this.connected.catch(() => {});
  }

  get state(): SubscriptionState {
    return this.#state;
  }

  get snapshot(): PresenceSnapshot | undefined {
    return this.#snapshot;
  }

  get error(): PresenceError | undefined {
    return this.#error;
  }

  /** The listener is never called inside the call that caused it: in a turn of its own, what it throws harms nobody else. */
  deliver(snapshot: PresenceSnapshot, change: PresenceChange): void {
    if (this.#isOver) return;
    this.#state = "active";
    this.#snapshot = snapshot;
    this.#resolve(snapshot);
    queueMicrotask(() => {
      if (this.#state !== "unsubscribed") this.#listener(snapshot, change);
    });
  }

  fail(error: PresenceError): void {
    if (this.#isOver) return;
    this.#state = error.code === "CLOSED" ? "unsubscribed" : "error";
    this.#error = error;
    this.#reject(error);
    queueMicrotask(() => {
      if (this.#state !== "unsubscribed") this.#onError?.(error);
    });
  }

  unsubscribe(): void {
    if (this.#state === "unsubscribed") return;
    this.#state = "unsubscribed";
    this.#reject(new PresenceError("CLOSED", "unsubscribed"));
    this.#onUnsubscribe(this);
  }

  get #isOver(): boolean {
    return this.#state === "error" || this.#state === "unsubscribed";
  }
}
