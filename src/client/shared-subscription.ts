import type { Diff, SnapshotPage } from "../protocol/wire.ts";
import { PresenceError, violation } from "./errors.ts";
import type { NormalFilter } from "./filter.ts";
import { LiveUsers } from "./live-users.ts";
import type { Requests } from "./requests.ts";
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
  /** Its request was answered, or a subscriber is gone: it may have no use any more. */
  settled(watch: Watch): void;
  /** It can't go on. */
  failed(watch: Watch, error: PresenceError): void;
}

/** What everybody who is interested in one filter shares: one view on the wire, one state. */
export class Watch {
  readonly filter: NormalFilter;
  readonly subscribers = new Set<WatchSubscription>();
  /** The gateway's name for it, while it sends us what changes. */
  view: string | undefined;
  /** Whether the answer to its request is still to come. */
  isAsked = false;
  readonly #byView: WatchesByView;
  readonly #keeper: WatchKeeper;
  readonly #users: LiveUsers;
  #isOver = false;
  #graceTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(filter: NormalFilter, byView: WatchesByView, keeper: WatchKeeper, maxUsers: number) {
    this.filter = filter;
    this.#byView = byView;
    this.#keeper = keeper;
    this.#users = new LiveUsers(maxUsers);
  }

  add(subscription: WatchSubscription): void {
    this.subscribers.add(subscription);
    const { snapshot } = this.#users;
    if (snapshot) subscription.deliver(snapshot, { entered: [...snapshot.keys()], updated: [], left: [] });
  }

  /** Asks for the view, and only for what was missed if we had it before. */
  ask(requests: Requests, graceMs = 0): void {
    this.isAsked = true;
    const since = this.#users.position;
    requests.ask({
      message: { type: "subscribe", filter: this.filter.filter, since },
      answered: (answer) => {
        if (this.#isOver) return false;
        if (answer.type === "snapshot") {
          this.page(answer, graceMs);
          if (answer.more && !this.#isOver) return true;
        } else if (
          answer.type !== "resumed" ||
          answer.view !== since?.view ||
          answer.version !== since.version
        ) {
          throw violation("another answer");
        } else {
          this.#bind(answer.view);
        }
        this.isAsked = false;
        this.#keeper.settled(this);
        return false;
      },
      refused: (error) => this.#keeper.failed(this, error),
    });
  }

  /** @param graceMs How long those who are missing may take to come back, unseen by anybody. */
  page(page: SnapshotPage, graceMs = 0): void {
    this.#bind(page.view);
    if (graceMs > 0) {
      clearTimeout(this.#graceTimer);
      this.#graceTimer = setTimeout(() => this.#take(() => this.#users.giveUp()), graceMs);
    }
    this.#take(() => this.#users.page(page, graceMs > 0));
  }

  diff(diff: Diff): void {
    this.#take(() => this.#users.diff(diff));
  }

  /** The connection is lost: what was asked on it will not be answered. */
  interrupted(): void {
    this.isAsked = false;
    this.view = undefined;
    this.#users.interrupted();
  }

  /** It is over; with an error, its subscribers are told. */
  end(error?: PresenceError): void {
    this.#isOver = true;
    clearTimeout(this.#graceTimer);
    this.#byView.delete(this.view!);
    if (error) for (const subscription of this.subscribers) subscription.fail(error);
  }

  #bind(view: string): void {
    if (this.view === view) return;
    if (this.#byView.has(view)) throw violation("one view for two filters");
    this.#byView.delete(this.view!);
    this.view = view;
    this.#byView.set(view, this);
  }

  #take(step: () => PresenceChange | undefined): void {
    const isFirst = this.#users.snapshot === undefined;
    let change: PresenceChange | undefined;
    try {
      change = step();
    } catch (error) {
      // Too many users for one filter are no reason to give up the connection.
      if ((error as PresenceError).code !== "LIMIT_REACHED") throw error;
      this.#keeper.failed(this, error as PresenceError);
    }
    if (
      change &&
      !this.#isOver &&
      (isFirst || change.entered.length + change.updated.length + change.left.length > 0)
    ) {
      for (const subscription of this.subscribers) subscription.deliver(this.#users.snapshot!, change);
    }
  }
}

/** One listener of a watch. */
export class WatchSubscription implements Subscription {
  state: SubscriptionState = "pending";
  snapshot: PresenceSnapshot | undefined;
  error: PresenceError | undefined;
  readonly connected: Promise<PresenceSnapshot>;
  readonly #listener: PresenceListener;
  readonly #onError: SubscribeOptions["onError"];
  readonly #onUnsubscribe: (subscription: WatchSubscription) => void;
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

  /** The listener is never called inside the call that caused it: in a turn of its own, what it throws harms nobody else. */
  deliver(snapshot: PresenceSnapshot, change: PresenceChange): void {
    if (this.#isOver) return;
    this.state = "active";
    this.snapshot = snapshot;
    this.#resolve(snapshot);
    queueMicrotask(() => {
      if (this.state !== "unsubscribed") this.#listener(snapshot, change);
    });
  }

  fail(error: PresenceError): void {
    if (this.#isOver) return;
    this.state = error.code === "CLOSED" ? "unsubscribed" : "error";
    this.error = error;
    this.#reject(error);
    queueMicrotask(() => {
      if (this.state !== "unsubscribed") this.#onError?.(error);
    });
  }

  unsubscribe(): void {
    if (this.state === "unsubscribed") return;
    this.state = "unsubscribed";
    this.#reject(new PresenceError("CLOSED", "unsubscribed"));
    this.#onUnsubscribe(this);
  }

  get #isOver(): boolean {
    return this.state === "error" || this.state === "unsubscribed";
  }
}
