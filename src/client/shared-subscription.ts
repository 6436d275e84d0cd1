import type { Diff, SnapshotPage } from "../protocol/wire.ts";
import { type PresenceError, protocolError } from "./errors.ts";
import type { NormalFilter } from "./filter.ts";
import { LiveUsers } from "./live-users.ts";
import type { Requests } from "./requests.ts";
import type { Subscriber } from "./subscriber.ts";
import type { PresenceChange } from "./types.ts";

/** What shared subscriptions need of the object that has them all. */
export interface SharedSubscriptionOwner {
  /** Those of the present connection, by the view that the gateway has for each. */
  readonly byView: Map<string, SharedSubscription>;
  /**
   * The request was answered, or a subscriber is gone: the subscription may have no use any more. With an
   * error it cannot go on.
   */
  settled(shared: SharedSubscription, error?: PresenceError): void;
}

/** All subscribers with the same filter share one view on the wire, and one list of users. */
export class SharedSubscription {
  readonly filter: NormalFilter;
  readonly subscribers = new Set<Subscriber>();
  /** The gateway's name for the view, while its diffs arrive. */
  view: string | undefined;
  /** Whether the answer to the request is still to come. */
  isRequested = false;
  readonly #owner: SharedSubscriptionOwner;
  readonly #users: LiveUsers;
  #isOver = false;
  #graceTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(filter: NormalFilter, owner: SharedSubscriptionOwner, maxUsers: number) {
    this.filter = filter;
    this.#owner = owner;
    this.#users = new LiveUsers(maxUsers);
  }

  add(subscriber: Subscriber): void {
    this.subscribers.add(subscriber);
    const { snapshot } = this.#users;
    if (snapshot) subscriber.deliver(snapshot, { entered: [...snapshot.keys()], updated: [], left: [] });
  }

  /**
   * Subscribes on a new connection. The gateway sends only what was missed, if it can.
   * @param graceMs How long users who are missing may take to come back before they count as gone, in
   *   milliseconds.
   */
  request(requests: Requests, graceMs = 0): void {
    this.isRequested = true;
    const since = this.#users.position;
    requests.request({
      message: { type: "subscribe", filter: this.filter.filter, since },
      answered: (answer) => {
        if (this.#isOver) return false;
        if (answer.type === "snapshot") {
          this.addPage(answer, graceMs);
          if (answer.more && !this.#isOver) return true;
        } else if (
          answer.type !== "resumed" ||
          answer.view !== since?.view ||
          answer.version !== since.version
        ) {
          throw protocolError(answer.type);
        } else {
          this.#bind(answer.view);
        }
        this.isRequested = false;
        this.#owner.settled(this);
        return false;
      },
      refused: (error) => this.#owner.settled(this, error),
    });
  }

  addPage(page: SnapshotPage, graceMs = 0): void {
    this.#bind(page.view);
    if (graceMs > 0) {
      clearTimeout(this.#graceTimer);
      this.#graceTimer = setTimeout(() => this.#deliver(() => this.#users.timeout()), graceMs);
    }
    this.#deliver(() => this.#users.addPage(page, graceMs > 0));
  }

  addDiff(diff: Diff): void {
    this.#deliver(() => this.#users.addDiff(diff));
  }

  /** The connection or the view is lost, with what was requested. */
  lost(): void {
    this.#owner.byView.delete(this.view!);
    this.isRequested = false;
    this.view = undefined;
    this.#users.lost();
  }

  /** Ends it. With an error, its subscribers are told. */
  end(error?: PresenceError): void {
    this.#isOver = true;
    clearTimeout(this.#graceTimer);
    this.lost();
    if (error) for (const subscriber of this.subscribers) subscriber.fail(error);
  }

  #bind(view: string): void {
    const { byView } = this.#owner;
    if (this.view === view) return;
    if (byView.has(view)) throw protocolError("view");
    byView.delete(this.view!);
    this.view = view;
    byView.set(view, this);
  }

  #deliver(step: () => PresenceChange | undefined): void {
    const isFirst = !this.#users.snapshot;
    let change: PresenceChange | undefined;
    try {
      change = step();
    } catch (error) {
      // Too many users for one filter are no reason to give up the connection.
      if ((error as PresenceError).code !== "LIMIT_REACHED") throw error;
      this.#owner.settled(this, error as PresenceError);
    }
    if (change && !this.#isOver && (isFirst || Object.values(change).some((list) => list.length > 0))) {
      for (const subscriber of this.subscribers) subscriber.deliver(this.#users.snapshot!, change);
    }
  }
}
