import type { Diff } from "../../core/views/diff-log.ts";
import type { View } from "../../core/views/view.ts";
import { Frame } from "./frame.ts";
import type { PagedResponse, SendQueue } from "./send-queue.ts";
import type { Snapshot } from "./snapshot.ts";
import type { SubscriptionCharges } from "./subscription-charges.ts";
import type { Subscriber, ViewChannel } from "./view-channel.ts";

/** A page of a snapshot, before the subscription encodes it for its reader's protocol. */
export interface SnapshotPage {
  readonly view: string;
  readonly version: number;
  readonly body: string;
  readonly more: boolean;
  /** The body is the number of users, and not their entries. */
  readonly isCount: boolean;
}

/** Encodes what a channel sends for the protocol of a subscriber. */
export interface MessageEncoder {
  /** `requestId`: the request that the snapshot answers; undefined for a snapshot after a lag. */
  snapshot(page: SnapshotPage, requestId: number | undefined): Frame;
  diff(frame: Frame, view: View, version: number): Frame;
}

/** Limits the memory of a user's long answers while their readers take them. */
export interface LongAnswers {
  /**
   * Whether a snapshot of that view may begin. If not, the send queue is woken when it may be tried again.
   */
  begin(view: View): boolean;
  /** The snapshot that has begun was sent, or its reader has gone. Calling it twice has no effect. */
  end(): void;
}

/** The owner of a subscription, told when the subscription cannot go on. */
export interface SubscriptionOwner {
  onFailure(error: unknown): void;
}

/** What a subscription needs of its reader: a socket or an event stream. */
export interface SubscriptionReader {
  readonly sendQueue: SendQueue;
  readonly encoder: MessageEncoder;
  readonly owner: SubscriptionOwner;
  /** The charges of the reader's user; undefined for a reader that is charged nothing. */
  readonly charges?: SubscriptionCharges | undefined;
  readonly answers?: LongAnswers | undefined;
}

/**
 * One subscriber of a view, in one of three states. Live: it gets each diff. Snapshots are under way: it gets
 * no diff until the last of them was sent. Lagged: it gets nothing until it has drained, then a snapshot.
 */
export class Subscription implements Subscriber {
  readonly channel: ViewChannel;
  readonly payer: SubscriptionCharges | undefined;
  #wantsPatches = false;
  readonly #sendQueue: SendQueue;
  readonly #encoder: MessageEncoder;
  readonly #owner: SubscriptionOwner;
  readonly #answers: LongAnswers | undefined;
  /** The version that the reader has, once it is live. */
  #at = 0;
  #snapshotsUnderWay = 0;
  /** Requests whose snapshot has not begun to be sent. */
  readonly #unanswered: number[] = [];
  #lagged = false;
  #ended = false;
  /** One of the snapshots under way has begun, and is held until its reader has it. */
  #hasBegun = false;
  /**
   * The send queue waits for this view to be hydrated, or for room, and sends no other long answer meanwhile.
   */
  #isWaiting = false;

  constructor(channel: ViewChannel, { sendQueue, encoder, owner, charges, answers }: SubscriptionReader) {
    this.channel = channel;
    this.payer = charges;
    this.#sendQueue = sendQueue;
    this.#encoder = encoder;
    this.#owner = owner;
    this.#answers = answers;
  }

  get wantsPatches(): boolean {
    return this.#wantsPatches;
  }

  /** Diffs have patches from now on, or no longer. */
  set wantsPatches(wantsPatches: boolean) {
    if (this.#ended || wantsPatches === this.#wantsPatches) return;
    this.#wantsPatches = wantsPatches;
    this.channel.onPatchesWanted(wantsPatches);
  }

  /** How many requests for a snapshot wait. */
  get unanswered(): number {
    return this.#unanswered.length;
  }

  /**
   * Resumes from a position, if its diffs are still kept. Returns the missed diffs, for `deliverMissed`;
   * undefined if only a snapshot can help.
   */
  missedSince(view: string, version: number): readonly Diff[] | undefined {
    if (this.#snapshotsUnderWay > 0 || this.#lagged || view !== this.channel.view.name) return undefined;
    const missed = this.channel.view.since(version);
    if (missed !== undefined) this.#at = version;
    return missed;
  }

  /** Requests a snapshot, which begins once the view has no unflushed marks. */
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

  /** Sends diffs that are kept. Those that were made while nobody took patches have whole values. */
  deliverMissed(missed: readonly Diff[]): void {
    for (const diff of missed) {
      const patch = this.#wantsPatches ? diff.patch : undefined;
      this.deliver(new Frame(patch ?? diff.whole()), diff.version);
    }
  }

  /** Sends the diff that leads to `version`, unless the reader has that version already. */
  deliver(frame: Frame, version: number): void {
    if (this.#snapshotsUnderWay > 0 || this.#lagged || this.#ended || version <= this.#at) return;
    if (
      version !== this.#at + 1 ||
      !this.#sendQueue.offer(this.#encoder.diff(frame, this.channel.view, version))
    )
      return this.#lag();
    this.#at = version;
    this.channel.telemetry.deliveries++;
  }

  end(): readonly number[] {
    this.#ended = true;
    if (this.#hasBegun) this.#endAnswer();
    // The view may never be hydrated now. Answers behind this snapshot must not wait for it.
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
    // Taken when the first page is sent, so an answer that waits for its reader keeps no old state alive.
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
            {
              view: view.name,
              version,
              body: page.body,
              more: page.next !== undefined,
              isCount: view.filter.isCount,
            },
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

  /** The reader has `version` now. Later diffs are sent, if they are still kept. */
  #snapshotSent(version: number): void {
    this.#snapshotsUnderWay--;
    if (this.#snapshotsUnderWay > 0) return;
    this.#at = version;
    const missed = this.channel.view.since(version);
    if (missed === undefined) this.#lag();
    else this.deliverMissed(missed);
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
