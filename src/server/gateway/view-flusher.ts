import { LinkedMap } from "../../core/collections/linked-map.ts";
import type { Flush, View } from "../../core/views/view.ts";
import type { ViewRegistry } from "../../core/views/view-registry.ts";
import type { Clock } from "../clock.ts";
import {
  FAILED_FLUSH_REST_MS,
  type GatewayConfig,
  LONGEST_FREE_FLUSH_AT_ONCE_MS,
  LONGEST_FREE_FLUSH_MS,
  REST_PER_COST,
  REST_PER_COST_AT_ONCE,
  REST_PER_PRIVATE_COST,
} from "./gateway-config.ts";
import type { Telemetry } from "./telemetry.ts";
import { DELIVER_AT_ONCE_MS, flushCostMs, type TurnBudget, WRITE_MS } from "./turn-budget.ts";
import type { FlushPayer, ViewChannel } from "./view-channel.ts";

export interface ViewFlusherOptions {
  readonly views: ViewRegistry;
  /** The channel of each view that has subscribers. */
  readonly channels: ReadonlyMap<View, ViewChannel>;
  readonly limits: Pick<GatewayConfig, "diffIntervalMs">;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  /** Called with the time at which a view will be due. */
  readonly wakeBy: (due: number) => void;
  /** The node's time for flushes in one turn of the event loop. */
  readonly flushTurn: TurnBudget;
}

/**
 * Flushes the views of one app and delivers their diffs, as far as the rests of the views and the turn of the
 * event loop allow. The remaining work follows in a later turn.
 */
export class ViewFlusher {
  readonly #options: ViewFlusherOptions;
  readonly #views: ViewRegistry;
  /** Channels whose last diff has not reached all subscribers yet, with its cost so far in milliseconds. */
  readonly #publishing = new LinkedMap<ViewChannel, number>();
  #isFlushing = false;

  constructor(options: ViewFlusherOptions) {
    this.#options = options;
    this.#views = options.views;
  }

  /** How many diffs are being delivered. */
  get publishing(): number {
    return this.#publishing.size;
  }

  /**
   * Flushes the views that are ready. A nested call, such as when a subscriber cannot be served and its
   * sessions end, leaves the work to the flush that is running.
   */
  flush(now: number): void {
    if (this.#isFlushing) return;
    // Most messages affect no view.
    if (!this.#views.isAtRest || this.#publishing.size > 0) {
      this.#isFlushing = true;
      try {
        this.#flushReady(now);
      } finally {
        this.#isFlushing = false;
      }
    }
    this.wake();
  }

  /** Calls `wakeBy` for the view that is due next. */
  wake(): void {
    const next = this.#views.nextDueAt();
    if (next !== undefined) this.#options.wakeBy(next);
  }

  /**
   * Alternates between flushes and deliveries: a view that is ready does not wait for a delivery to thousands
   * of subscribers, nor for that of a large diff.
   */
  #flushReady(now: number): void {
    const { flushTurn } = this.#options;
    while (!this.#views.isAtRest || this.#publishing.size > 0) {
      if (flushTurn.isSpent) return flushTurn.onNextTurn(this.#continue);
      const view = this.#views.takeReady(now);
      if (view !== undefined) this.#flush(view, now);
      const publishing = this.#publishing.first;
      if (publishing !== undefined) this.#deliver(publishing.key, publishing.value, now);
      else if (view === undefined) return;
    }
  }

  readonly #continue = (): void => this.flush(this.#options.clock.now());

  #flush(view: View, now: number): void {
    const { telemetry, flushTurn } = this.#options;
    const channel = this.#options.channels.get(view);
    let flush: Flush;
    try {
      flush = view.flush(channel?.wantsPatches);
    } catch (error) {
      // Nothing has changed. The view is flushed again later, and other views are served meanwhile.
      telemetry.crashed(error);
      return this.#views.rest(view, FAILED_FLUSH_REST_MS, now);
    }
    const { diff, changes, errors } = flush;
    if (errors.length > 0) telemetry.crashed(errors[0]);
    if (diff !== undefined) {
      telemetry.diffs++;
      telemetry.observeDiffDelay(now - view.markedAt);
    }
    const costMs = flushCostMs(changes, diff?.length ?? 0);
    flushTurn.spend(costMs);
    this.#views.recordFlushCost(view, costMs);
    channel?.publish(diff);
    if (diff === undefined) this.#views.rest(view, view.hasLeftOut ? FAILED_FLUSH_REST_MS : 0, now);
    else if (channel === undefined) this.#rest(view, costMs, undefined, now);
    else this.#deliver(channel, costMs, now);
  }

  /**
   * Delivers a diff to some more subscribers, then it is the next one's turn. Once all have it, its view
   * rests.
   */
  #deliver(channel: ViewChannel, costMs: number, now: number): void {
    const { flushTurn } = this.#options;
    this.#publishing.delete(channel);
    const spentMs = channel.deliverSome(Math.min(DELIVER_AT_ONCE_MS, flushTurn.leftMs));
    flushTurn.spend(spentMs);
    if (channel.isPublishing) return void this.#publishing.set(channel, costMs + spentMs);
    // The frames are written later, each on its own at worst.
    const writesMs = channel.size * WRITE_MS;
    this.#rest(channel.view, costMs + spentMs + writesMs, channel.payer, now);
  }

  /**
   * Makes a view rest in proportion to the cost of its flush. The views that only one user subscribes to, or
   * was the last to leave, together may take what one view may take, until another user subscribes to one of
   * them. `subscriber`: the user to whom all subscribers belong, if there are any.
   */
  #rest(view: View, costMs: number, subscriber: FlushPayer | undefined, now: number): void {
    const { diffIntervalMs } = this.#options.limits;
    // All subscribers may have left while the diff was delivered.
    const payer = subscriber ?? this.#views.ownerOf(view);
    const isAtOnce = diffIntervalMs === 0;
    const isShared = payer === undefined;
    const freeMs = isAtOnce && isShared ? LONGEST_FREE_FLUSH_AT_ONCE_MS : LONGEST_FREE_FLUSH_MS;
    let ownMs = costMs * (isAtOnce ? REST_PER_COST_AT_ONCE : REST_PER_COST);
    if (view.hasLeftOut) ownMs = Math.max(ownMs, FAILED_FLUSH_REST_MS);
    let restMs = ownMs;
    if (!isShared) {
      payer.flushFreeAt = Math.max(now, payer.flushFreeAt) + costMs * REST_PER_PRIVATE_COST;
      restMs = Math.max(ownMs, payer.flushFreeAt - now);
    }
    // What the flush has cost is its writes above all. They begin now, and the rest follows them.
    const atLeast = (ms: number) => (ms > freeMs ? Math.max(ms + costMs, diffIntervalMs) : diffIntervalMs);
    const debt = payer && { payer, freeAt: now + atLeast(ownMs) };
    this.#views.rest(view, atLeast(restMs), now, debt);
  }
}
