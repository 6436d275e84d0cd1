import type { Diff } from "../views/diff-log.ts";
import type { View } from "../views/view.ts";
import { Frame } from "./frame.ts";
import { Snapshot } from "./snapshot.ts";
import type { Subscription } from "./subscription.ts";
import type { Telemetry } from "./telemetry.ts";

/** A view and those who watch it. Each diff is encoded once, whatever their number. */
export class Feed<Holder> {
  readonly view: View<Holder>;
  readonly telemetry: Telemetry;
  readonly #subscriptions = new Set<Subscription<Holder>>();
  #waiting: (() => void)[] = [];
  #snapshot: Snapshot | undefined;

  constructor(view: View<Holder>, telemetry: Telemetry) {
    this.view = view;
    this.telemetry = telemetry;
  }

  get size(): number {
    return this.#subscriptions.size;
  }

  add(subscription: Subscription<Holder>): void {
    this.#subscriptions.add(subscription);
  }

  /** Returns the requests of the subscription that stay without an answer. */
  remove(subscription: Subscription<Holder>): readonly number[] {
    this.#subscriptions.delete(subscription);
    return subscription.end();
  }

  /**
   * Calls back once the view shows all that has happened: now, or after its next flush. So a snapshot is never older
   * than the request for it, and a storm of subscribers does not make the view flush more often than its interval.
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
      if (this.#subscriptions.size > 1) frame.encode();
      for (const subscription of this.#subscriptions) subscription.deliver(frame, diff.version);
    }
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const callback of waiting) callback();
  }
}
