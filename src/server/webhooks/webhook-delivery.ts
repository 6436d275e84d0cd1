import { ChangeFold } from "../../core/views/change-fold.ts";
import type { EncodedEntry } from "../../protocol/codec.ts";
import {
  type BodyOrigin,
  type ChangedUser,
  encodeSnapshotPage,
  encodeWebhookCount,
  encodeWebhookDiff,
} from "./webhook-body.ts";

/** The view of which the receiver keeps a copy, as of its last flush. */
export interface CopySource {
  readonly name: string;
  readonly version: number;
  readonly size: number;
  /** Whether initial members are still missing. */
  readonly isHydrating: boolean;
  members(): readonly EncodedEntry[];
  entry(userId: string): EncodedEntry | undefined;
  follow(fold: ChangeFold): void;
  unfollow(fold: ChangeFold): void;
}

export interface DeliveryOptions extends BodyOrigin {
  readonly isCount: boolean;
  readonly intervalMs: number;
  readonly makeId: () => string;
  /** A number in [0, 1). */
  readonly random: () => number;
}

/** A message that is to be sent. A retry has the same id and body. */
export interface OutgoingMessage {
  readonly id: string;
  readonly body: string;
}

/** What came of an attempt to send a message. */
export type DeliveryOutcome =
  /** `resync`: the receiver asks for a snapshot. */
  { readonly kind: "accepted"; readonly resync: boolean } | { readonly kind: "failed" };

interface NewMessage extends OutgoingMessage {
  /** Whether the receiver gets at most one of these within the interval. */
  readonly isPaced: boolean;
  /** What the receiver has once it accepts the message. */
  accept(): void;
}

interface Underway extends NewMessage {
  readonly madeAt: number;
}

/** A snapshot of which pages have still to be sent. */
interface Snapshot {
  readonly view: string;
  readonly version: number;
  readonly members: readonly EncodedEntry[];
  readonly isPaced: boolean;
  /** The index of the first member of the next page. */
  readonly from: number;
  /** The number of the next page. */
  readonly page: number;
}

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
/** A pause is shorter or longer by up to this share. */
const PAUSE_SPREAD = 0.25;

/** How long to wait after so many failures in a row, from 1. `random`: a number in [0, 1). */
export function pauseAfter(failures: number, random: number): number {
  const pause = Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS);
  return pause * (1 + PAUSE_SPREAD * (2 * random - 1));
}

/**
 * What one webhook sends, and when. It knows what the receiver's copy shows, and has at most one message
 * under way. Changes meanwhile are no messages, but a fold of the users who have changed. The next message is
 * made of it, with the entries that the view has then. So a receiver that is slow, or down, costs memory for
 * users and not for changes.
 *
 * It has no clock and sends nothing itself. Its owner tells it what happens, and sends what `next` returns.
 * Times are in milliseconds of the owner's clock.
 */
export class WebhookDelivery {
  readonly #options: DeliveryOptions;
  readonly #fold: ChangeFold;
  #source: CopySource | undefined;
  /** The version of the receiver's copy; undefined: the receiver needs a snapshot. */
  #at: number | undefined;
  /** The number that the receiver of counts has. */
  #users: number | undefined;
  /** Whether the receiver has asked for the snapshot that it needs. */
  #isRequested = false;
  #snapshot: Snapshot | undefined;
  #message: Underway | undefined;
  #isSending = false;
  #failures = 0;
  #retryAt = 0;
  /** Until when the receiver gets no other paced message. */
  #restsUntil = Number.NEGATIVE_INFINITY;
  /**
   * Until then, a message of another sender may come after one of these, and change the copy. A message that
   * is made later makes the copy right, or lets the receiver find out that it is wrong. If there is none, all
   * is sent once more. Infinity: no other sender is known.
   */
  #repeatAt = Number.POSITIVE_INFINITY;
  /** When the oldest change was made that is in the message or snapshot under way. */
  #underwaySince: number | undefined;
  /** When the oldest change was made that is in no message yet. */
  #changedAt: number | undefined;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#fold = new ChangeFold(options.maxBodyBytes);
  }

  /** When the oldest change was made that the receiver has not accepted; undefined: there is none. */
  get behindSince(): number | undefined {
    return this.#underwaySince ?? this.#changedAt;
  }

  /** How many attempts have failed since the last success. */
  get failures(): number {
    return this.#failures;
  }

  /** Number of users about whom something is kept besides the view. */
  get keptUsers(): number {
    return this.#fold.size + (this.#snapshot?.members.length ?? 0);
  }

  /** Begins with a snapshot of this view. An attempt that is under way does not count. */
  start(source: CopySource, now: number): void {
    this.stop();
    this.#source = source;
    // A count says all, whoever has changed.
    if (!this.#options.isCount) source.follow(this.#fold);
    this.#underwaySince = now;
  }

  /** Sends nothing until `start`, and forgets what the receiver has. */
  stop(): void {
    this.#source?.unfollow(this.#fold);
    this.#source = undefined;
    this.#fold.clear();
    this.#at = undefined;
    this.#users = undefined;
    this.#isRequested = false;
    this.#snapshot = undefined;
    this.#message = undefined;
    this.#isSending = false;
    this.#failures = 0;
    this.#restsUntil = Number.NEGATIVE_INFINITY;
    this.#repeatAt = Number.POSITIVE_INFINITY;
    this.#underwaySince = undefined;
    this.#changedAt = undefined;
  }

  /** Messages of another sender may reach the receiver until then. Call it after `start`. */
  sharesUntil(time: number): void {
    this.#repeatAt = this.#repeatAt === Number.POSITIVE_INFINITY ? time : Math.max(this.#repeatAt, time);
  }

  /** The view has another version. */
  changed(now: number): void {
    if (this.#hasChanged) this.#changedAt ??= now;
    else this.#changedAt = undefined;
  }

  /** When `next` will have something to send; infinity while it has to wait for something else than time. */
  nextDueAt(): number {
    if (this.#source === undefined || this.#isSending) return Number.POSITIVE_INFINITY;
    if (this.#message !== undefined) return this.#retryAt;
    if (this.#snapshot !== undefined) return Number.NEGATIVE_INFINITY;
    const needsAll = this.#needsAll;
    if (!needsAll && !this.#hasChanged) return Math.max(this.#repeatAt, this.#restsUntil);
    if (this.#source.isHydrating) return Number.POSITIVE_INFINITY;
    return needsAll && !this.#isRequested ? Number.NEGATIVE_INFINITY : this.#restsUntil;
  }

  /**
   * The message to send now; undefined if there is none. The owner calls `answered` with what comes of it.
   * `timestamp`: the time as ISO 8601, for a message that is made now.
   */
  next(now: number, timestamp: string): OutgoingMessage | undefined {
    if (this.nextDueAt() > now) return undefined;
    this.#message ??= { ...this.#make(this.#source!, now, timestamp), madeAt: now };
    this.#isSending = true;
    return this.#message;
  }

  /** Takes what came of the message that `next` returned last. */
  answered(outcome: DeliveryOutcome, now: number): void {
    const message = this.#message;
    if (message === undefined || !this.#isSending) return;
    this.#isSending = false;
    if (outcome.kind === "failed") {
      this.#failures++;
      this.#retryAt = now + pauseAfter(this.#failures, this.#options.random());
      return;
    }
    this.#failures = 0;
    this.#message = undefined;
    if (message.isPaced) this.#restsUntil = now + this.#options.intervalMs;
    message.accept();
    if (message.madeAt >= this.#repeatAt) this.#repeatAt = Number.POSITIVE_INFINITY;
    if (!this.#hasChanged) this.#changedAt = undefined;
    if (outcome.resync) {
      this.#needAll();
      this.#underwaySince ??= now;
    } else if (this.#snapshot === undefined) this.#underwaySince = undefined;
  }

  /** Whether the receiver needs the whole result, or the number of users whatever it is. */
  get #needsAll(): boolean {
    return this.#options.isCount ? this.#users === undefined : this.#at === undefined;
  }

  get #hasChanged(): boolean {
    return this.#options.isCount ? this.#source?.size !== this.#users : !this.#fold.isEmpty;
  }

  /** The receiver may have lost its copy. Between pages, the pages start again. */
  #needAll(): void {
    this.#at = undefined;
    this.#users = undefined;
    this.#snapshot = undefined;
    this.#isRequested = true;
  }

  #make(source: CopySource, now: number, timestamp: string): NewMessage {
    if (this.#snapshot === undefined && !this.#needsAll && !this.#hasChanged) this.#needAll();
    this.#underwaySince ??= this.#changedAt ?? now;
    if (this.#options.isCount) return this.#makeCount(source, timestamp);
    if (this.#snapshot !== undefined) return this.#makePage(this.#snapshot, timestamp);
    const diff = this.#at === undefined ? undefined : this.#makeDiff(source, this.#at, timestamp);
    if (diff !== undefined) return diff;
    const snapshot = this.#takeSnapshot(source);
    this.#snapshot = snapshot;
    return this.#makePage(snapshot, timestamp);
  }

  #makeCount({ size }: CopySource, timestamp: string): NewMessage {
    const isPaced = !this.#needsAll || this.#isRequested;
    this.#changedAt = undefined;
    return {
      id: this.#newId(),
      body: encodeWebhookCount(this.#options, timestamp, size),
      isPaced,
      accept: () => {
        this.#users = size;
        this.#isRequested = false;
      },
    };
  }

  #takeSnapshot(source: CopySource): Snapshot {
    const { name: view, version } = source;
    const isPaced = this.#at !== undefined || this.#isRequested;
    const snapshot = { view, version, members: source.members(), isPaced, from: 0, page: 1 };
    // From here on nothing can fail, so no change is forgotten.
    this.#startFold();
    return snapshot;
  }

  #makePage(snapshot: Snapshot, timestamp: string): NewMessage {
    const { members, from, page, isPaced, version } = snapshot;
    const { body, next } = encodeSnapshotPage(this.#options, timestamp, snapshot, members, from, page);
    return {
      id: this.#newId(),
      body,
      isPaced,
      accept: () => {
        if (next !== undefined) this.#snapshot = { ...snapshot, from: next, page: page + 1 };
        else {
          this.#snapshot = undefined;
          this.#at = version;
          this.#isRequested = false;
        }
      },
    };
  }

  /** Undefined: the diff would be too long, so a snapshot is sent. */
  #makeDiff(source: CopySource, from: number, timestamp: string): NewMessage | undefined {
    if (this.#fold.hasOverflowed) return undefined;
    const { name: view, version } = source;
    const users = this.#changedUsers(source);
    const body = encodeWebhookDiff(this.#options, timestamp, { view, from, version }, users);
    if (body === undefined) return undefined;
    this.#startFold();
    return {
      id: this.#newId(),
      body,
      isPaced: true,
      accept: () => {
        this.#at = version;
      },
    };
  }

  *#changedUsers(source: CopySource): Generator<ChangedUser> {
    for (const [userId, { cause = "changed" }] of this.#fold) {
      yield [userId, source.entry(userId) ?? { cause }];
    }
  }

  /** The fold begins again at the version of the view that the message leads to. */
  #startFold(): void {
    this.#fold.clear();
    this.#changedAt = undefined;
  }

  #newId(): string {
    return `msg_${this.#options.makeId()}`;
  }
}
