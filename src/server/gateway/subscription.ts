import type { Diff } from "../../core/views/diff-log.ts";
import type { View } from "../../core/views/view.ts";
import { Frame } from "./frame.ts";
import type { PagedResponse, SendQueue } from "./send-queue.ts";
import type { Snapshot } from "./snapshot.ts";
import type { SubscriptionCharges } from "./subscription-charges.ts";
import type { Subscriber, ViewChannel } from "./view-channel.ts";

/**
 * A page of a snapshot as the channel hands it out; the reader's protocol is put around it by the
 * subscription.
 */
export interface SnapshotPage {
  readonly view: string;
  readonly version: number;
  readonly body: string;
  readonly more: boolean;
}

/** Puts what a channel sends into the messages of a subscriber's protocol. */
export interface MessageEncoder {
  /**
   * `requestId`: the request that this answers; undefined for a snapshot that nobody asked for, after a lag.
   */
  snapshot(page: SnapshotPage, requestId: number | undefined): Frame;
  diff(frame: Frame, view: string, version: number): Frame;
}

/** What the long answers of a user hold while their readers take them, which is bounded. */
export interface LongAnswers {
  /**
   * Whether a snapshot of that view may begin. If not, the send queue is woken when it may be tried again.
   */
  begin(view: View): boolean;
  /** The one that was begun is out, or nobody takes it any more. Once is enough, and twice does no harm. */
  end(): void;
}

/** Who is told that a subscription cannot go on. */
export interface SubscriptionOwner {
  onFailure(error: unknown): void;
}

/** What a subscription needs of the one who reads it: a socket or an event stream. */
export interface SubscriptionReader {
  readonly sendQueue: SendQueue;
  readonly encoder: MessageEncoder;
  readonly owner: SubscriptionOwner;
  /** What the reader's user is charged; undefined for one who is charged nothing. */
  readonly charges?: SubscriptionCharges | undefined;
  readonly answers?: LongAnswers | undefined;
}

/**
 * One subscriber of a view. It is live, and gets each diff; or snapshots are under way to it, and it gets no
 * diff until the last of them has been sent; or it lagged: it gets nothing until it has drained, then a
 * snapshot.
 */
export class Subscription implements Subscriber {
  readonly channel: ViewChannel;
  readonly payer: SubscriptionCharges | undefined;
  readonly #sendQueue: SendQueue;
  readonly #encoder: MessageEncoder;
  readonly #owner: SubscriptionOwner;
  readonly #answers: LongAnswers | undefined;
  /** The version that the reader is at, once it is live. */
  #at = 0;
  #snapshotsUnderWay = 0;
  /** Requests whose snapshot has not begun to be sent. */
  readonly #unanswered: number[] = [];
  #lagged = false;
  #ended = false;
  /** One of the snapshots under way has begun: it is held until its reader has it. */
  #hasBegun = false;
  /** The send queue waits, for this view to be hydrated or for room, and sends nothing long meanwhile. */
  #isWaiting = false;

  constructor(channel: ViewChannel, { sendQueue, encoder, owner, charges, answers }: SubscriptionReader) {
    this.channel = channel;
    this.payer = charges;
    this.#sendQueue = sendQueue;
    this.#encoder = encoder;
    this.#owner = owner;
    this.#answers = answers;
  }

  /** How many requests for a snapshot wait. */
  get unanswered(): number {
    return this.#unanswered.length;
  }

  /**
   * Takes up at a position if its diffs are kept: the missed ones are returned, and the caller delivers them.
   */
  missedSince(view: string, version: number): readonly Diff[] | undefined {
    if (this.#snapshotsUnderWay > 0 || this.#lagged || view !== this.channel.view.name) return undefined;
    const missed = this.channel.view.since(version);
    if (missed !== undefined) this.#at = version;
    return missed;
  }

  /** Asks for a snapshot, which begins as soon as the view has no unflushed marks. */
  requestSnapshot(requestId: number | undefined): void {
    this.#snapshotsUnderWay++;
    if (requestId !== undefined) this.#unanswered.push(requestId);
    this.channel.onceFlushed(() => {
      if (this.#ended) return;
      try {
        this.#sendQueue.start(this.#pagedSnapshot(requestId));
      } catch (error) {
        this.fail(error);
      }
    });
  }

  /** Sends the diff that leads to `version`, unless the reader is there already. */
  deliver(frame: Frame, version: number): void {
    if (this.#snapshotsUnderWay > 0 || this.#lagged || this.#ended || version <= this.#at) return;
    if (
      version !== this.#at + 1 ||
      !this.#sendQueue.offer(this.#encoder.diff(frame, this.channel.view.name, version))
    )
      return this.#lag();
    this.#at = version;
    this.channel.telemetry.deliveries++;
  }

  end(): readonly number[] {
    this.#ended = true;
    if (this.#hasBegun) this.#endAnswer();
    // The view is given up, and may never be hydrated: what comes after the snapshot is not to wait for it.
    if (this.#isWaiting) this.#sendQueue.wake();
    return this.#unanswered.splice(0);
  }

  fail(error: unknown): void {
    this.#owner.onFailure(error);
  }

  #endAnswer(): void {
    this.#hasBegun = false;
    this.#answers?.end();
  }

  #pagedSnapshot(requestId: number | undefined): PagedResponse {
    const { view } = this.channel;
    // Taken when the first page is sent: an answer that waits for its reader keeps no old state alive.
    let snapshot: Snapshot | undefined;
    let from: number | undefined = 0;
    return {
      step: () => {
        this.#isWaiting = false;
        if (this.#ended || from === undefined) return "done";
        if (snapshot === undefined) {
          this.#isWaiting = this.#answers?.begin(view) === false;
          if (this.#isWaiting) return "waiting";
          this.#hasBegun = true;
          snapshot = this.channel.snapshot();
        }
        const { version } = snapshot;
        const page = snapshot.page(from);
        if (page === undefined) {
          this.channel.onceHydrated(() => {
            if (this.#isWaiting) this.#sendQueue.wake();
          });
          this.#isWaiting = true;
          return "waiting";
        }
        if (from === 0 && requestId !== undefined) {
          this.#unanswered.splice(this.#unanswered.indexOf(requestId), 1);
        }
        this.#sendQueue.send(
          this.#encoder.snapshot(
            { view: view.name, version, body: page.body, more: page.next !== undefined },
            requestId,
          ),
        );
        from = page.next;
        if (from !== undefined) return "more";
        this.#endAnswer();
        this.#snapshotSent(version);
        return "done";
      },
    };
  }

  /** The reader is at `version` now: what happened since is sent after it, if it is still kept. */
  #snapshotSent(version: number): void {
    this.#snapshotsUnderWay--;
    if (this.#snapshotsUnderWay > 0) return;
    this.#at = version;
    const missed = this.channel.view.since(version);
    if (missed === undefined) this.#lag();
    else for (const diff of missed) this.deliver(new Frame(diff.text), diff.version);
  }

  #lag(): void {
    if (this.#lagged) return;
    this.#lagged = true;
    this.channel.telemetry.lagged++;
    this.#sendQueue.whenDrained(() => {
      this.#lagged = false;
      if (!this.#ended) this.requestSnapshot(undefined);
    });
  }
}
