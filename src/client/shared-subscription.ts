import type { Diff, SnapshotPage } from "../protocol/wire.ts";
import { type PresenceError, protocolError } from "./errors.ts";
import type { NormalFilter } from "./filter.ts";
import { createLiveUsers } from "./live-users.ts";
import { isPassing, type Requests } from "./requests.ts";
import type { Subscriber } from "./subscriber.ts";
import type { PresenceChange } from "./types.ts";

/** What shared subscriptions need of the object that has them all. */
export interface SharedSubscriptionOwner {
  /** Those of the present connection, by the view that the gateway has for each. */
  readonly byView: Map<string, SharedSubscription>;
  /** A request was answered, or refused with an error. */
  answered(shared: SharedSubscription, error?: PresenceError): void;
  /** It cannot go on. */
  failed(shared: SharedSubscription, error: PresenceError): void;
}

/** All subscribers with the same filter share one view on the wire, and one list of users. */
export interface SharedSubscription {
  readonly filter: NormalFilter;
  readonly subscribers: Set<Subscriber>;
  /** The gateway's name for the view, as long as the gateway has it for this client. */
  view?: string | undefined;
  /** Whether the answer to a request is still to come. */
  isBusy?: boolean;
  /** While its last subscriber has left only a moment ago: the timer of that. */
  lingers?: ReturnType<typeof setTimeout> | undefined;
  readonly isWanted: boolean;
  /** Whether the gateway should have it, does not, and was not asked. */
  readonly isMissing: boolean;
  add(subscriber: Subscriber): void;
  /**
   * Subscribes. The gateway sends only what was missed, if it can.
   * @param graceMs How long users who are missing may take to come back before they count as gone, in
   *   milliseconds.
   */
  request(graceMs?: number): void;
  unsubscribe(): void;
  addPage(page: SnapshotPage, graceMs?: number): void;
  addDiff(diff: Diff): void;
  /** The connection or the view is lost, with what was requested. */
  lost(): void;
  /**
   * Its users are forgotten, and subscribers, if there are any, told the error. The gateway may still have
   * the view.
   */
  end(error?: PresenceError): void;
}

export function createSharedSubscription(
  filter: NormalFilter,
  owner: SharedSubscriptionOwner,
  requests: Requests,
  maxUsers: number,
): SharedSubscription {
  const { byView } = owner;
  const subscribers = new Set<Subscriber>();
  let users = createLiveUsers(maxUsers);
  let graceTimer: ReturnType<typeof setTimeout> | undefined;

  const isLive = () => byView.get(shared.view!) === shared;

  function answered(error?: PresenceError): undefined {
    shared.isBusy = false;
    owner.answered(shared, error);
  }

  function bind(view: string): void {
    if (isLive() && shared.view === view) return;
    if (byView.has(view)) throw protocolError("view");
    unbind();
    shared.view = view;
    byView.set(view, shared);
  }

  function unbind(): void {
    if (isLive()) byView.delete(shared.view!);
  }

  function deliver(step: () => PresenceChange | undefined): void {
    const isFirst = !users.snapshot;
    let change: PresenceChange | undefined;
    try {
      change = step();
    } catch (error) {
      // Too many users for one filter are no reason to give up the connection.
      if ((error as PresenceError).code !== "LIMIT_REACHED") throw error;
      owner.failed(shared, error as PresenceError);
    }
    if (change && (isFirst || Object.values(change).some((list) => list.length > 0))) {
      for (const subscriber of subscribers) subscriber.deliver(users.snapshot!, change);
    }
  }

  const shared: SharedSubscription = {
    filter,
    subscribers,

    get isWanted() {
      return subscribers.size > 0;
    },

    get isMissing() {
      return shared.isWanted && !shared.isBusy && !isLive();
    },

    add(subscriber) {
      subscribers.add(subscriber);
      const { snapshot } = users;
      if (snapshot) subscriber.deliver(snapshot, { entered: [...snapshot.keys()], updated: [], left: [] });
    },

    request(graceMs) {
      shared.isBusy = true;
      const asked = users;
      const since = users.position;
      requests.request(
        { type: "subscribe", filter: filter.filter, since, patch: true },
        (answer) => {
          const { type } = answer;
          if (asked === users) {
            if (type === "snapshot") shared.addPage(answer, graceMs);
            else if (type === "resumed" && answer.view === since?.view && answer.version === since.version)
              bind(answer.view);
            else throw protocolError(type);
          }
          // It may have ended, with this page or before.
          if (asked !== users) return false;
          return (type === "snapshot" && answer.more) || answered();
        },
        answered,
      );
    },

    unsubscribe() {
      shared.isBusy = true;
      /** Unless it may be granted later, an error says that the gateway has no such view. */
      const done = (error?: PresenceError) => {
        if (error && isPassing(error)) return answered(error);
        shared.lost();
        return answered();
      };
      requests.request({ type: "unsubscribe", view: shared.view! }, () => done(), done);
    },

    addPage(page, graceMs = 0) {
      bind(page.view);
      if (graceMs > 0) {
        clearTimeout(graceTimer);
        graceTimer = setTimeout(() => deliver(() => users.timeout()), graceMs);
      }
      deliver(() => users.addPage(page, graceMs > 0));
    },

    addDiff(diff) {
      deliver(() => users.addDiff(diff));
    },

    lost() {
      unbind();
      shared.isBusy = false;
      shared.view = undefined;
      users.lost();
    },

    end(error) {
      for (const subscriber of subscribers) subscriber.fail(error!);
      subscribers.clear();
      clearTimeout(graceTimer);
      clearTimeout(shared.lingers);
      unbind();
      shared.isBusy = false;
      shared.lingers = undefined;
      users = createLiveUsers(maxUsers);
    },
  };
  return shared;
}
