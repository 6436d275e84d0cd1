import { PresenceError } from "./errors.ts";
import type {
  PresenceChange,
  PresenceListener,
  PresenceSnapshot,
  SubscribeOptions,
  Subscription,
} from "./types.ts";

/** One listener of a shared subscription, as the app holds it. */
export interface Subscriber extends Subscription {
  /**
   * The listener runs in a turn of its own, never inside the call that caused it: what it throws harms no
   * other code.
   */
  deliver(snapshot: PresenceSnapshot, change: PresenceChange): void;
  /** Ends it with an error. The error `CLOSED` counts as unsubscribed. */
  fail(error: PresenceError): void;
}

export function createSubscriber(
  listener: PresenceListener,
  onError: SubscribeOptions["onError"],
  onUnsubscribe: (subscriber: Subscriber) => void,
): Subscriber {
  let resolve!: (snapshot: PresenceSnapshot) => void;
  let reject!: (error: PresenceError) => void;
  const connected = new Promise<PresenceSnapshot>((...settle) => {
    [resolve, reject] = settle;
  });
  // An app that does not wait for the promise looks at the state.
  connected.catch(() => {});
  let isOver = false;
  /** Nothing that was on its way comes after `unsubscribe()`. */
  const call = (listen: () => void) => queueMicrotask(() => subscriber.state !== "unsubscribed" && listen());

  const subscriber: { -readonly [Field in keyof Subscriber]: Subscriber[Field] } = {
    state: "pending",
    snapshot: undefined,
    error: undefined,
    connected,
    deliver(snapshot, change) {
      if (isOver) return;
      subscriber.state = "active";
      subscriber.snapshot = snapshot;
      resolve(snapshot);
      call(() => listener(snapshot, change));
    },
    fail(error) {
      if (isOver) return;
      isOver = true;
      subscriber.state = error.code === "CLOSED" ? "unsubscribed" : "error";
      subscriber.error = error;
      reject(error);
      call(() => onError?.(error));
    },
    unsubscribe() {
      if (subscriber.state === "unsubscribed") return;
      isOver = true;
      subscriber.state = "unsubscribed";
      reject(new PresenceError("CLOSED", "unsubscribed"));
      onUnsubscribe(subscriber);
    },
  };
  return subscriber;
}
