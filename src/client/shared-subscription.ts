import type { Diff, SnapshotPage } from "../protocol/wire.ts";
import { type PresenceError, protocolError } from "./errors.ts";
import type { NormalFilter } from "./filter.ts";
import { LiveUsers } from "./live-users.ts";
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
export class SharedSubscription {
  readonly filter: NormalFilter;
  readonly subscribers = new Set<Subscriber>();
  /** The gateway's name for the view, as long as the gateway has it for this client. */
  view: string | undefined;
  /** Whether the answer to a request is still to come. */
  isBusy = false;
  /** Whether its last subscriber has left only a moment ago. */
  lingers = false;
  readonly #owner: SharedSubscriptionOwner;
  readonly #maxUsers: number;
  #users: LiveUsers;
  #graceTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(filter: NormalFilter, owner: SharedSubscriptionOwner, maxUsers: number) {
    this.filter = filter;
    this.#owner = owner;
    this.#maxUsers = maxUsers;
    this.#users = new LiveUsers(maxUsers);
  }

  get isWanted(): boolean {
    return this.subscribers.size > 0;
  }

  /** Whether the gateway should have it, does not, and was not asked. */
  get isMissing(): boolean {
    return this.isWanted && !this.isBusy && !this.#isLive;
  }

  get #isLive(): boolean {
    return this.#owner.byView.get(this.view!) === this;
  }

  add(subscriber: Subscriber): void {
    this.subscribers.add(subscriber);
    const { snapshot } = this.#users;
    if (snapshot) subscriber.deliver(snapshot, { entered: [...snapshot.keys()], updated: [], left: [] });
  }

  /**
   * Subscribes. The gateway sends only what was missed, if it can.
   * @param graceMs How long users who are missing may take to come back before they count as gone, in
   *   milliseconds.
   */
  request(requests: Requests, graceMs = 0): void {
    this.isBusy = true;
    const since = this.#users.position;
    const users = this.#users;
    requests.request({
      message: { type: "subscribe", filter: this.filter.filter, since },
      answered: (answer) => {
        if (users === this.#users) {
          if (answer.type === "snapshot") this.addPage(answer, graceMs);
          else if (
            answer.type !== "resumed" ||
            answer.view !== since?.view ||
            answer.version !== since.version
          ) {
            throw protocolError(answer.type);
          } else this.#bind(answer.view);
        }
        // It may have ended, with this page or before.
        if (users !== this.#users) return false;
        return (answer.type === "snapshot" && answer.more) || this.#answered();
      },
      refused: (error) => this.#answered(error),
    });
  }

  unsubscribe(requests: Requests): void {
    this.isBusy = true;
    requests.request({
      message: { type: "unsubscribe", view: this.view! },
      answered: () => {
        this.lost();
        return this.#answered();
      },
      refused: (error) => {
        if (isPassing(error)) return this.#answered(error);
        // The gateway has no such view.
        this.lost();
        return this.#answered();
      },
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
    this.#unbind();
    this.isBusy = false;
    this.view = undefined;
    this.#users.lost();
  }

  /**
   * Its users are forgotten, and subscribers, if there are any, told the error. The gateway may still have
   * the view.
   */
  end(error?: PresenceError): void {
    for (const subscriber of this.subscribers) subscriber.fail(error!);
    this.subscribers.clear();
    clearTimeout(this.#graceTimer);
    this.#unbind();
    this.isBusy = this.lingers = false;
    this.#users = new LiveUsers(this.#maxUsers);
  }

  #answered(error?: PresenceError): undefined {
    this.isBusy = false;
    this.#owner.answered(this, error);
  }

  #bind(view: string): void {
    if (this.#isLive && this.view === view) return;
    if (this.#owner.byView.has(view)) throw protocolError("view");
    this.#unbind();
    this.view = view;
    this.#owner.byView.set(view, this);
  }

  #unbind(): void {
    if (this.#isLive) this.#owner.byView.delete(this.view!);
  }

  #deliver(step: () => PresenceChange | undefined): void {
    const isFirst = !this.#users.snapshot;
    let change: PresenceChange | undefined;
    try {
      change = step();
    } catch (error) {
      // Too many users for one filter are no reason to give up the connection.
      if ((error as PresenceError).code !== "LIMIT_REACHED") throw error;
      this.#owner.failed(this, error as PresenceError);
    }
    if (change && (isFirst || Object.values(change).some((list) => list.length > 0))) {
      for (const subscriber of this.subscribers) subscriber.deliver(this.#users.snapshot!, change);
    }
  }
}
