import type { Diff } from "../../core/views/diff-log.ts";
import type { View } from "../../core/views/view.ts";
import { Frame } from "./frame.ts";
import { Snapshot } from "./snapshot.ts";
import type { Telemetry } from "./telemetry.ts";
import { deliveryCostMs } from "./turn-budget.ts";

/** Who pays for the flushes of views that nobody else watches, or that it let go of last: a user. */
export interface FlushPayer {
  /** Until then, in milliseconds, the flushes so far have used up the user's share of the processor. */
  flushFreeAt: number;
}

/** One who watches a view. */
export interface Subscriber {
  /** undefined: an app, which has no share of its own. */
  readonly payer: FlushPayer | undefined;
  deliver(frame: Frame, version: number): void;
  /** Nothing is delivered after this. Returns the requests that it leaves without an answer. */
  end(): readonly number[];
  /** Serving this subscriber has thrown: it is to be ended, for the others go on without it. */
  fail(error: unknown): void;
}

/** A diff on its way to the subscribers. */
interface Publication {
  readonly frame: Frame;
  readonly version: number;
  /** Of the set itself: who joins meanwhile is at this version already, and leaves the diff out. */
  readonly rest: Iterator<Subscriber, undefined>;
}

/** A view and those who watch it. Each diff is encoded once, whatever their number. */
export class ViewChannel {
  readonly view: View;
  readonly telemetry: Telemetry;
  readonly #subscribers = new Set<Subscriber>();
  #waiting: (() => void)[] = [];
  #onHydrated: (() => void)[] = [];
  #snapshot: Snapshot | undefined;
  #publication: Publication | undefined;
  /** The payer of the first subscriber, and how many subscribers have another one. */
  #payer: FlushPayer | undefined;
  #withOtherPayer = 0;

  constructor(view: View, telemetry: Telemetry) {
    this.view = view;
    this.telemetry = telemetry;
  }

  get size(): number {
    return this.#subscribers.size;
  }

  /** The one user whom all subscribers belong to; undefined where there are several, or an app. */
  get payer(): FlushPayer | undefined {
    return this.#withOtherPayer === 0 ? this.#payer : undefined;
  }

  add(subscriber: Subscriber): void {
    if (this.#subscribers.size === 0) this.#payer = subscriber.payer;
    this.#subscribers.add(subscriber);
    if (subscriber.payer !== this.#payer) this.#withOtherPayer++;
  }

  /** Returns the requests of the subscriber that stay without an answer. */
  remove(subscriber: Subscriber): readonly number[] {
    const isOther = subscriber.payer !== this.#payer;
    if (this.#subscribers.delete(subscriber) && isOther) this.#withOtherPayer--;
    return subscriber.end();
  }

  /**
   * Calls back once the view shows all that has happened, those who are still to be hydrated apart: now, or
   * after its next flush. So a snapshot is never older than the request for it, and a storm of subscribers
   * does not make the view flush more often than its interval.
   */
  onceFlushed(callback: () => void): void {
    if (this.view.isMarked) this.#waiting.push(callback);
    else callback();
  }

  /** Calls back once, when more of the first members of a large view are there. */
  onceHydrated(callback: () => void): void {
    this.#onHydrated.push(callback);
  }

  /** To be called when the view has hydrated more of its first members, or all. */
  hydrated(): void {
    const callbacks = this.#onHydrated;
    this.#onHydrated = [];
    for (const callback of callbacks) this.#guard(callback);
  }

  /** The state at the view's version, made once however many ask for it. */
  snapshot(): Snapshot {
    this.#snapshot ??= new Snapshot(this.view);
    return this.#snapshot;
  }

  /** To be called after each flush of the view. `deliverSome` sends what it brought. */
  publish(diff: Diff | undefined): void {
    if (diff !== undefined) {
      this.#snapshot = undefined;
      const frame = new Frame(diff.text);
      if (this.#subscribers.size > 1) frame.encode();
      this.#publication = { frame, version: diff.version, rest: this.#subscribers.values() };
    }
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const callback of waiting) this.#guard(callback);
  }

  /** Whether a diff is on its way, and not all have got it yet. */
  get isPublishing(): boolean {
    return this.#publication !== undefined;
  }

  /**
   * Sends the diff to more subscribers, until that has cost `maxMs` or all have it. Returns the cost. A
   * subscriber that cannot be served is ended, and the others are served.
   */
  deliverSome(maxMs: number): number {
    const publication = this.#publication;
    if (publication === undefined) return 0;
    const { frame, version, rest } = publication;
    const costMs = deliveryCostMs(frame.byteLength);
    let spentMs = 0;
    for (;;) {
      const { value: subscriber } = rest.next();
      if (subscriber === undefined) {
        this.#publication = undefined;
        return spentMs;
      }
      spentMs += costMs;
      try {
        subscriber.deliver(frame, version);
      } catch (error) {
        this.#fail(subscriber, error);
      }
      if (spentMs >= maxMs) return spentMs;
    }
  }

  /** The view is of no use any more: all who watch it are ended. */
  fail(error: unknown): void {
    for (const subscriber of [...this.#subscribers]) this.#fail(subscriber, error);
  }

  #fail(subscriber: Subscriber, error: unknown): void {
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
