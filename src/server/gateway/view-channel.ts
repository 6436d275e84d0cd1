import type { Diff } from "../../core/views/diff-log.ts";
import type { View } from "../../core/views/view.ts";
import { Frame } from "./frame.ts";
import { Snapshot } from "./snapshot.ts";
import type { Telemetry } from "./telemetry.ts";
import { deliveryCostMs } from "./turn-budget.ts";

/**
 * The user who pays for flushes of views that no other user subscribes to, or that this user was the last to
 * leave.
 */
export interface FlushPayer {
  /**
   * The time, in milliseconds, until which the flushes so far have used up the user's share of the processor.
   */
  flushFreeAt: number;
}

interface BaseSubscriber {
  /** Undefined: an app token, which has no share of its own. */
  readonly payer: FlushPayer | undefined;
  /**
   * Ends the subscriber: nothing is delivered after this. Returns the ids of requests that stay without an
   * answer.
   */
  end(): readonly number[];
  /** Serving this subscriber threw `error`. It must end, while the others are served. */
  fail(error: unknown): void;
}

/** A subscriber of a view that gets each diff. */
export interface Subscriber extends BaseSubscriber {
  readonly takesFrames?: true;
  /** Whether it takes diffs with patches. The channel is told of a change, see `onPatchesWanted`. */
  readonly wantsPatches?: boolean;
  deliver(frame: Frame, version: number): void;
}

/** A subscriber of a view that only needs to know that there is another version. */
export interface VersionSubscriber extends BaseSubscriber {
  readonly takesFrames: false;
  readonly wantsPatches?: never;
  deliver(): void;
}

export type AnySubscriber = Subscriber | VersionSubscriber;

/** A diff that is being delivered to the subscribers. */
interface Publication {
  readonly diff: Diff;
  /** Each is encoded when the first subscriber needs it. */
  whole: Frame | undefined;
  patch: Frame | undefined;
  /**
   * Iterates over the live set. A subscriber that joins meanwhile has this version already, and ignores the
   * diff.
   */
  readonly rest: Iterator<AnySubscriber, undefined>;
}

/**
 * A view and its subscribers. A diff is encoded once with whole values and once with patches, whatever the
 * number of subscribers, and not at all in a form that nobody takes.
 */
export class ViewChannel {
  readonly view: View;
  readonly telemetry: Telemetry;
  readonly #subscribers = new Set<AnySubscriber>();
  #waiting: (() => void)[] = [];
  #onHydrated: (() => void)[] = [];
  #snapshot: Snapshot | undefined;
  #publication: Publication | undefined;
  /** How many subscribers take frames, and how many of these with patches. */
  #withFrames = 0;
  #withPatches = 0;

  constructor(view: View, telemetry: Telemetry) {
    this.view = view;
    this.telemetry = telemetry;
  }

  get size(): number {
    return this.#subscribers.size;
  }

  /** The user to whom all subscribers belong; undefined if there are several users, or an app token. */
  get payer(): FlushPayer | undefined {
    let only: FlushPayer | undefined;
    // This ends at the first subscriber of another user, and no user has many sockets.
    for (const { payer } of this.#subscribers) {
      only ??= payer;
      if (payer === undefined || payer !== only) return undefined;
    }
    return only;
  }

  add(subscriber: AnySubscriber): void {
    this.#subscribers.add(subscriber);
    if (subscriber.takesFrames !== false) this.#withFrames++;
    if (subscriber.wantsPatches) this.#withPatches++;
  }

  /** A subscriber takes patches from now on, or no longer. */
  onPatchesWanted(wantsPatches: boolean): void {
    this.#withPatches += wantsPatches ? 1 : -1;
  }

  /** Whether some subscriber takes patches. */
  get wantsPatches(): boolean {
    return this.#withPatches > 0;
  }

  /** Removes and ends a subscriber. Returns the ids of its requests that stay without an answer. */
  remove(subscriber: AnySubscriber): readonly number[] {
    if (this.#subscribers.delete(subscriber)) {
      if (subscriber.takesFrames !== false) this.#withFrames--;
      if (subscriber.wantsPatches) this.#withPatches--;
    }
    return subscriber.end();
  }

  /**
   * Calls back once the view includes all changes so far, apart from members that are still to be hydrated:
   * now, or after its next flush. So a snapshot is never older than the request for it, and a storm of
   * subscribers does not make the view flush more often than its interval.
   */
  onceFlushed(callback: () => void): void {
    if (this.view.isMarked) this.#waiting.push(callback);
    else callback();
  }

  /** Calls back once, when a large view has hydrated more of its initial members. */
  onceHydrated(callback: () => void): void {
    this.#onHydrated.push(callback);
  }

  /** Called when the view has hydrated more of its initial members, or all. */
  hydrated(): void {
    const callbacks = this.#onHydrated;
    this.#onHydrated = [];
    for (const callback of callbacks) this.#guard(callback);
  }

  /** The state at the view's version, created once however many subscribers need it. */
  snapshot(): Snapshot {
    this.#snapshot ??= new Snapshot(this.view);
    return this.#snapshot;
  }

  /** Called after each flush of the view, with its diff if there is one. `deliverSome` sends the diff. */
  publish(diff: Diff | undefined): void {
    if (diff !== undefined) {
      this.#snapshot = undefined;
      this.#publication = { diff, whole: undefined, patch: undefined, rest: this.#subscribers.values() };
    }
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const callback of waiting) this.#guard(callback);
  }

  /** Whether a diff is being delivered, and some subscribers do not have it yet. */
  get isPublishing(): boolean {
    return this.#publication !== undefined;
  }

  /**
   * Delivers the diff to more subscribers, until that has cost `maxMs` or all have it. Returns the cost in
   * milliseconds. A subscriber that cannot be served is ended, and the others are served.
   */
  deliverSome(maxMs: number): number {
    const publication = this.#publication;
    if (publication === undefined) return 0;
    const { diff, rest } = publication;
    let spentMs = 0;
    for (;;) {
      const { value: subscriber } = rest.next();
      if (subscriber === undefined) {
        this.#publication = undefined;
        return spentMs;
      }
      try {
        if (subscriber.takesFrames === false) {
          subscriber.deliver();
          continue;
        }
        const frame = this.#frameFor(subscriber, publication);
        spentMs += deliveryCostMs(frame.byteLength);
        subscriber.deliver(frame, diff.version);
      } catch (error) {
        this.#fail(subscriber, error);
      }
      if (spentMs >= maxMs) return spentMs;
    }
  }

  /** What a subscriber gets of a diff, encoded if it is the first one that gets that. */
  #frameFor({ wantsPatches }: Subscriber, publication: Publication): Frame {
    const { patch } = publication.diff;
    if (wantsPatches && patch !== undefined) {
      publication.patch ??= this.#frame(patch, this.#withPatches);
      return publication.patch;
    }
    const wholes = patch === undefined ? this.#withFrames : this.#withFrames - this.#withPatches;
    publication.whole ??= this.#frame(publication.diff.whole(), wholes);
    return publication.whole;
  }

  #frame(text: string, readers: number): Frame {
    const frame = new Frame(text);
    return readers > 1 ? frame.encodeBytes() : frame;
  }

  /** The view is unusable: ends all of its subscribers. */
  fail(error: unknown): void {
    for (const subscriber of [...this.#subscribers]) this.#fail(subscriber, error);
  }

  #fail(subscriber: AnySubscriber, error: unknown): void {
    this.#guard(() => subscriber.fail(error));
  }

  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.telemetry.crashed(error);
    }
  }
}
