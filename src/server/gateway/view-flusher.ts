import type { Flush, View } from "../../core/views/view.ts";
import type { ViewRegistry } from "../../core/views/view-registry.ts";
import type { Clock } from "../clock.ts";
import {
  FAILED_FLUSH_REST_MS,
  type GatewayConfig,
  LONGEST_FREE_FLUSH_MS,
  REST_PER_COST,
  REST_PER_COST_AT_ONCE,
  REST_PER_PRIVATE_COST,
} from "./gateway-config.ts";
import type { Telemetry } from "./telemetry.ts";
import { DELIVER_AT_ONCE_MS, flushCostMs, type TurnBudget } from "./turn-budget.ts";
import type { FlushPayer, ViewChannel } from "./view-channel.ts";

export interface ViewFlusherOptions {
  readonly views: ViewRegistry;
  /** The channel of each view that somebody watches. */
  readonly channels: ReadonlyMap<View, ViewChannel>;
  readonly limits: Pick<GatewayConfig, "diffIntervalMs">;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  /** Called when a view will be due at a time. */
  readonly wakeBy: (due: number) => void;
  /** The node's time for flushes in one turn of the event loop. */
  readonly flushTurn: TurnBudget;
}

/**
 * Flushes the views of one app and delivers their diffs, as far as the rests of the views and the turn of the
 * event loop allow. What does not fit into this turn follows in a later one.
 */
export class ViewFlusher {
  readonly #options: ViewFlusherOptions;
  readonly #views: ViewRegistry;
  /**
   * Channels whose last diff has not reached all subscribers yet, and what it has cost so far in
   * milliseconds.
   */
  readonly #publishing = new Map<ViewChannel, number>();
  #isFlushing = false;

  constructor(options: ViewFlusherOptions) {
    this.#options = options;
    this.#views = options.views;
  }

  /** How many diffs are on their way. */
  get publishing(): number {
    return this.#publishing.size;
  }

  /**
   * Sends what has become of the changes so far. Called from within, as when a subscriber cannot be served
   * and its sessions end, it leaves the work to the flush that goes on.
   */
  flush(now: number): void {
    if (this.#isFlushing) return;
    // Most messages touch no view.
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

  /** Has `wakeBy` called for the view that is due next. */
  wake(): void {
    const next = this.#views.nextDueAt();
    if (next !== undefined) this.#options.wakeBy(next);
  }

  /**
   * In turns: a view that is ready does not wait for a delivery to thousands, nor for that of a large diff.
   */
  #flushReady(now: number): void {
    const { flushTurn } = this.#options;
    while (!this.#views.isAtRest || this.#publishing.size > 0) {
      if (flushTurn.isSpent) return flushTurn.onNextTurn(this.#continue);
      const view = this.#views.takeReady(now);
      if (view !== undefined) this.#flush(view, now);
      const [publishing] = this.#publishing;
      if (publishing !== undefined) this.#deliver(...publishing, now);
      else if (view === undefined) return;
    }
  }

  readonly #continue = (): void => this.flush(this.#options.clock.now());

  #flush(view: View, now: number): void {
    const { telemetry, flushTurn } = this.#options;
    let flush: Flush;
    try {
      flush = view.flush();
    } catch (error) {
      // Nothing has changed: it is tried again, and other views are served meanwhile.
      telemetry.crashed(error);
      return this.#views.rest(view, FAILED_FLUSH_REST_MS, now);
    }
    const { diff, changes, errors } = flush;
    if (errors.length > 0) telemetry.crashed(errors[0]);
    if (diff !== undefined) {
      telemetry.diffs++;
      telemetry.observeDiffDelay(now - view.markedAt);
    }
    const costMs = flushCostMs(changes, diff?.text.length ?? 0);
    flushTurn.spend(costMs);
    this.#views.recordFlushCost(view, costMs);
    const channel = this.#options.channels.get(view);
    channel?.publish(diff);
    if (diff === undefined) this.#views.rest(view, view.hasLeftOut ? FAILED_FLUSH_REST_MS : 0, now);
    else if (channel === undefined) this.#rest(view, costMs, this.#views.ownerOf(view), now);
    else this.#deliver(channel, costMs, now);
  }

  /**
   * Sends a diff to some more subscribers, then it is the next one's turn; when all have it, its view
   * rests.
   */
  #deliver(channel: ViewChannel, costMs: number, now: number): void {
    const { flushTurn } = this.#options;
    this.#publishing.delete(channel);
    const spentMs = channel.deliverSome(Math.min(DELIVER_AT_ONCE_MS, flushTurn.leftMs));
    flushTurn.spend(spentMs);
    if (channel.isPublishing) return void this.#publishing.set(channel, costMs + spentMs);
    this.#rest(channel.view, costMs + spentMs, channel.payer, now);
  }

  /**
   * Has a view rest in proportion to what its flush has cost. The views that one user watches alone, or has
   * let go of last, share what one view may take: until somebody else watches one of them.
   */
  #rest(view: View, costMs: number, payer: FlushPayer | undefined, now: number): void {
    const { diffIntervalMs } = this.#options.limits;
    let ownMs = costMs * (diffIntervalMs === 0 ? REST_PER_COST_AT_ONCE : REST_PER_COST);
    if (view.hasLeftOut) ownMs = Math.max(ownMs, FAILED_FLUSH_REST_MS);
    let restMs = ownMs;
    if (payer !== undefined) {
      payer.flushFreeAt = Math.max(now, payer.flushFreeAt) + costMs * REST_PER_PRIVATE_COST;
      restMs = Math.max(ownMs, payer.flushFreeAt - now);
    }
    const atLeast = (ms: number) =>
      ms > LONGEST_FREE_FLUSH_MS ? Math.max(ms, diffIntervalMs) : diffIntervalMs;
    const debt = payer && { payer, freeAt: now + atLeast(ownMs) };
    this.#views.rest(view, atLeast(restMs), now, debt);
  }
}
