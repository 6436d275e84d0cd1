import type { Diff } from "../views/diff-log.ts";
import type { View } from "../views/view.ts";
import { Frame } from "./frame.ts";
import { Snapshot } from "./snapshot.ts";
import type { Telemetry } from "./telemetry.ts";

/** One who watches a view. */
export interface Subscriber {
  deliver(frame: Frame, version: number): void;
  /** Nothing is delivered after this. Returns the requests that it leaves without an answer. */
  end(): readonly number[];
}

/** A view and those who watch it. Each diff is encoded once, whatever their number. */
export class Feed<Holder> {
  readonly view: View<Holder>;
  readonly telemetry: Telemetry;
  readonly #subscribers = new Set<Subscriber>();
  #waiting: (() => void)[] = [];
  #snapshot: Snapshot | undefined;

  constructor(view: View<Holder>, telemetry: Telemetry) {
    this.view = view;
    this.telemetry = telemetry;
  }

  get size(): number {
    return this.#subscribers.size;
  }

  add(subscriber: Subscriber): void {
    this.#subscribers.add(subscriber);
  }

  /** Returns the requests of the subscriber that stay without an answer. */
  remove(subscriber: Subscriber): readonly number[] {
    this.#subscribers.delete(subscriber);
    return subscriber.end();
  }

  /**
   * Calls back once the view shows all that has happened, those who are still to be collected apart: now, or after its
   * next flush. So a snapshot is never older than the request for it, and a storm of subscribers does not make the view
   * flush more often than its interval.
   */
  whenSettled(callback: () => void): void {
    if (this.view.isMarked) this.#waiting.push(callback);
    else callback();
  }

  /** The state at the view's version, made once however many ask for it. */
  snapshot(): Snapshot {
    this.#snapshot ??= new Snapshot(this.view);
    return this.#snapshot;
  }

  /** To be called after each flush of the view. */
  flushed(diff: Diff | undefined): void {
    if (diff !== undefined) {
      this.#snapshot = undefined;
      const frame = new Frame(diff.text);
      if (this.#subscribers.size > 1) frame.encode();
      for (const subscriber of this.#subscribers) subscriber.deliver(frame, diff.version);
    }
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const callback of waiting) callback();
  }
}
