import type { PresenceClient, PresenceFilter, PresenceValue, Subscription } from "../../client/types.ts";
import { changedRow, firstRow, type Row, type RowContext, sessionsOf } from "../model/row.ts";
import { timesOfArrival } from "../model/session-times.ts";
import { Topic } from "./topic.ts";

/** All sessions of one user, whatever the filter of the page is. The details of the user show them. */
export class UserSessions {
  readonly changed = new Topic();
  readonly #userId: string;
  readonly #filter: PresenceFilter;
  readonly #listed: () => Row | undefined;
  readonly #onClose: (closed: UserSessions) => void;
  #subscription: Subscription | undefined;
  #unlisten: (() => void) | undefined;
  #row: Row | undefined;
  #isKnown = false;
  /** Whether the page was offline, so that the next change tells of what happened before. */
  #isCatchingUp = false;

  /**
   * @param listed The user's row in the result of the page's filter. The page may have seen its sessions
   *   come.
   * @param onClose Called by `close`.
   */
  constructor(userId: string, listed: () => Row | undefined, onClose: (closed: UserSessions) => void) {
    this.#userId = userId;
    this.#filter = { userIds: [userId], includeBackgroundSessions: true, includeInvisible: true };
    this.#listed = listed;
    this.#onClose = onClose;
  }

  /** Whether the gateway has told of all sessions. Until then, what the filter shows is all that is known. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  /** Undefined while the user has no session. */
  get row(): Row | undefined {
    return this.#row;
  }

  /** Follows the user on this client, and no longer on the one before. */
  attach(client: PresenceClient): void {
    this.#detach();
    this.#unlisten = client.on("status", (status) => {
      if (status !== "connected") this.#isCatchingUp = true;
    });
    let isFirst = true;
    const subscription = client.subscribe(
      this.#filter,
      (snapshot) => {
        const value = snapshot.get(this.#userId);
        if (isFirst) this.#start(value);
        else this.#apply(value);
        isFirst = false;
        this.#isKnown = true;
        this.#isCatchingUp = false;
        this.changed.notify();
      },
      {
        onError: () => {
          if (subscription !== this.#subscription) return;
          this.#isKnown = false;
          this.changed.notify();
        },
      },
    );
    this.#subscription = subscription;
    // onError receives the same error.
    subscription.connected.catch(() => {});
  }

  close(): void {
    this.#detach();
    this.#onClose(this);
  }

  #detach(): void {
    this.#unlisten?.();
    this.#subscription?.unsubscribe();
    this.#subscription = undefined;
  }

  #start(value: PresenceValue | undefined): void {
    this.#row = value && firstRow(this.#userId, value, this.#context(false), this.#row ?? this.#known(value));
  }

  #apply(value: PresenceValue | undefined): void {
    this.#row = value && changedRow(this.#userId, value, this.#context(!this.#isCatchingUp), this.#row);
  }

  /** What the page has seen of the user. Sessions that the filter leaves out may be older than that. */
  #known(value: PresenceValue): Row | undefined {
    const listed = this.#listed();
    if (listed === undefined || sessionsOf(value).length <= listed.sessions) return listed;
    return { ...listed, online: { ...listed.online, isExact: false } };
  }

  #context(isSeen: boolean): RowContext {
    return { arrival: timesOfArrival(this.#filter, Date.now(), isSeen), shows: "online" };
  }
}
