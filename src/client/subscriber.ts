import { PresenceError } from "./errors.ts";
import type {
  PresenceChange,
  PresenceListener,
  PresenceSnapshot,
  SubscribeOptions,
  Subscription,
  SubscriptionState,
} from "./types.ts";

/** One listener of a shared subscription, as the app holds it. */
export class Subscriber implements Subscription {
  state: SubscriptionState = "pending";
  snapshot: PresenceSnapshot | undefined;
  error: PresenceError | undefined;
  readonly connected: Promise<PresenceSnapshot>;
  readonly #listener: PresenceListener;
  readonly #onError: SubscribeOptions["onError"];
  readonly #onUnsubscribe: (subscriber: Subscriber) => void;
  #resolve!: (snapshot: PresenceSnapshot) => void;
  #reject!: (error: PresenceError) => void;

  constructor(
    listener: PresenceListener,
    onError: SubscribeOptions["onError"],
    onUnsubscribe: (subscriber: Subscriber) => void,
  ) {
    this.#listener = listener;
    this.#onError = onError;
    this.#onUnsubscribe = onUnsubscribe;
    this.connected = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // An app that does not wait for the promise looks at the state.
    this.connected.catch(() => {});
  }

  /**
   * The listener runs in a turn of its own, never inside the call that caused it: what it throws harms no
   * other code.
   */
  deliver(snapshot: PresenceSnapshot, change: PresenceChange): void {
    if (this.#isOver) return;
    this.state = "active";
    this.snapshot = snapshot;
    this.#resolve(snapshot);
    queueMicrotask(() => {
      if (this.state !== "unsubscribed") this.#listener(snapshot, change);
    });
  }

  /** Ends it with an error. The error `CLOSED` counts as unsubscribed. */
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
