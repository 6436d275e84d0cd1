import type { Diff } from "../views/diff-log.ts";
import type { Feed, Subscriber } from "./feed.ts";
import { Frame } from "./frame.ts";
import type { Job, Outbox } from "./outbox.ts";
import type { UserBudget } from "./user-budget.ts";

/** A page of a snapshot as the feed hands it out; the reader's protocol is put around it by the subscription. */
export interface SnapshotPage {
  readonly view: string;
  readonly version: number;
  readonly body: string;
  readonly more: boolean;
}

/** How a subscriber's protocol words what a feed says. */
export interface Wording {
  /** `requestId`: the request that this answers; undefined for a snapshot that nobody asked for, after a lag. */
  snapshot(page: SnapshotPage, requestId: number | undefined): Frame;
  diff(frame: Frame, version: number): Frame;
}

/**
 * One subscriber of a view. It is live, and gets each diff; or snapshots are under way to it, and it gets no diff until
 * the last of them has been sent; or it lagged: it gets nothing until it has drained, then a snapshot.
 */
export class Subscription<Holder> implements Subscriber {
  readonly feed: Feed<Holder>;
  readonly outbox: Outbox;
  readonly wording: Wording;
  /** Who pays for it; undefined: nobody does. */
  readonly budget: UserBudget | undefined;
  #snapshotsUnderWay = 0;
  /** Requests whose snapshot has not begun to be sent. */
  readonly #unanswered: number[] = [];
  #lagged = false;
  #ended = false;

  constructor(feed: Feed<Holder>, outbox: Outbox, wording: Wording, budget?: UserBudget) {
    this.feed = feed;
    this.outbox = outbox;
    this.wording = wording;
    this.budget = budget;
  }

  /** How many requests for a snapshot wait. */
  get unanswered(): number {
    return this.#unanswered.length;
  }

  /** Takes up at a position if its diffs are kept: the missed ones are returned, and the caller sends them. */
  missedSince(view: string, version: number): readonly Diff[] | undefined {
    if (this.#snapshotsUnderWay > 0 || this.#lagged) return undefined;
    return view === this.feed.view.name ? this.feed.view.since(version) : undefined;
  }

  /** Asks for a snapshot, which begins as soon as the view has no unflushed marks. */
  requestSnapshot(requestId: number | undefined): void {
    this.#snapshotsUnderWay++;
    if (requestId !== undefined) this.#unanswered.push(requestId);
    this.feed.whenSettled(() => {
      if (!this.#ended) this.outbox.start(this.#snapshotJob(requestId));
    });
  }

  deliver(frame: Frame, version: number): void {
    if (this.#snapshotsUnderWay > 0 || this.#lagged) return;
    if (this.outbox.offer(this.wording.diff(frame, version))) this.feed.telemetry.deliveries++;
    else this.#lag();
  }

  end(): readonly number[] {
    this.#ended = true;
    return this.#unanswered.splice(0);
  }

  #snapshotJob(requestId: number | undefined): Job {
    const { view } = this.feed;
    const { version } = view;
    const snapshot = this.feed.snapshot();
    let from: number | undefined = 0;
    return {
      step: () => {
        if (this.#ended || from === undefined) return true;
        const page = snapshot.page(from);
        if (page === undefined) return false;
        if (from === 0 && requestId !== undefined) {
          this.#unanswered.splice(this.#unanswered.indexOf(requestId), 1);
        }
        this.outbox.send(
          this.wording.snapshot(
            { view: view.name, version, body: page.body, more: page.next !== undefined },
            requestId,
          ),
        );
        from = page.next;
        if (from === undefined) this.#snapshotSent(version);
        return from === undefined;
      },
    };
  }

  /** The reader is at `version` now: what happened since is sent after it, if it is still kept. */
  #snapshotSent(version: number): void {
    this.#snapshotsUnderWay--;
    if (this.#snapshotsUnderWay > 0) return;
    const missed = this.feed.view.since(version);
    if (missed === undefined) this.#lag();
    else for (const diff of missed) this.deliver(new Frame(diff.text), diff.version);
  }

  #lag(): void {
    if (this.#lagged) return;
    this.#lagged = true;
    this.feed.telemetry.lagged++;
    this.outbox.whenDrained(() => {
      this.#lagged = false;
      if (!this.#ended) this.requestSnapshot(undefined);
    });
  }
}
