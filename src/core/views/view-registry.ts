import { Deadlines } from "../collections/deadlines.ts";
import { LinkedMap } from "../collections/linked-map.ts";
import { Queue } from "../collections/queue.ts";
import type { Change, ReadonlyTable } from "../sessions/table.ts";
import type { CompiledFilter } from "./compiled-filter.ts";
import { DiffLog, DiffLogBudget } from "./diff-log.ts";
import { View } from "./view.ts";
import { ViewIndex } from "./view-index.ts";
import { filterBytes, HYDRATE_AT_ONCE, minResultBytes, resultBytes, snapshotBytes } from "./view-size.ts";

/** How long a view is kept after its last subscriber leaves, for subscribers that resume. */
export const IDLE_VIEW_MS = 60_000;
/** Limits on idle views: their number, and the estimated bytes of their ids, keys, results and diff logs. */
export const MAX_IDLE_VIEWS = 4_096;
export const MAX_IDLE_BYTES = 64 * 1024 * 1024;
/**
 * A flush that costs more than this makes its view costly; each flush counts for a minimum. See
 * `recordFlushCost`.
 */
const COSTLY_FLUSH_MS = 0.1;
const MIN_FLUSH_MS = 0.002;
/** The views that one change marks, beyond so many, wait as costly ones do: together they are. */
const CROWD = 64;
/** The most that costly views pay back for time that they used while no other view waited. */
const MAX_COSTLY_LEAD_MS = 1;

/**
 * The user who is charged for an idle view. Told when the view becomes idle, and when it stops being idle.
 */
export interface IdleViewOwner {
  /** See `FlushPayer`: flushing an idle view costs as much as flushing one with subscribers. */
  flushFreeAt: number;
  onIdle(filterKey: string, bytes: number): void;
  onIdleEnd(filterKey: string): void;
}

interface IdleView {
  readonly since: number;
  readonly bytes: number;
  readonly owner: IdleViewOwner | undefined;
}

/** The reason why a view rests longer than its own flush requires: its payer has used up more. */
interface Debt {
  readonly payer: object;
  /** When the rest would end otherwise. */
  readonly freeAt: number;
}

/** What a view keeps besides its result. */
interface Footprint {
  readonly log: DiffLog;
  readonly filterBytes: number;
}

/** A view that has hydrated more of its initial members. */
export interface Hydrated {
  readonly view: View;
  /** Why hydration failed; the view is dropped then. */
  readonly error?: unknown;
}

/**
 * All views of one app: one per filter, shared by its subscribers. A view that was quiet is flushed at once,
 * and then rests; the changes during its rest become one diff at the end. Whoever publishes the diff decides
 * how long the view rests: at least `intervalMs`, and longer after a costly flush. Rests end on a tick that
 * all views share, so a reader of many busy views gets their diffs together. A tick comes `intervalMs` after
 * the one before, and after the last flush that it caused: no view is flushed twice within that time.
 */
export class ViewRegistry {
  readonly #table: ReadonlyTable;
  readonly #intervalMs: number;
  readonly #makeName: () => string;
  readonly #byKey = new Map<string, View>();
  readonly #index: ViewIndex;
  /** Views whose initial members are not all hydrated. */
  readonly #hydrating = new Queue<View>();
  /** Views to flush, in the order in which they were marked. Costly views have a queue of their own. */
  readonly #ready = new Queue<View>();
  readonly #readyCostly = new Queue<View>();
  /** How much more time costly views have had than others, in milliseconds. */
  #costlyLeadMs = 0;
  /** Views that rest until the next tick, and those that rest until the one after it. */
  #resting = new Set<View>();
  #restingNext = new Set<View>();
  /** When the next tick is due, if some view rests. */
  #tickAt = Number.NEGATIVE_INFINITY;
  /** Views that rest for longer than `intervalMs`: until the first tick at or after the end of that time. */
  readonly #restingLonger = new Deadlines<View>();
  /** Those of them that rest because of what other views of their payer have cost. */
  readonly #indebted = new Map<View, Debt>();
  /** Views without a subscriber, the one idle longest first. */
  readonly #idle = new LinkedMap<View, IdleView>();
  #idleBytes = 0;
  readonly #diffLogs = new DiffLogBudget();
  readonly #footprints = new Map<View, Footprint>();
  /** Number of changes that were merged into a diff with an earlier change of the same user. */
  coalesced = 0;

  constructor(table: ReadonlyTable, intervalMs: number, makeName: () => string) {
    this.#table = table;
    this.#index = new ViewIndex(table.customIndex);
    this.#intervalMs = intervalMs;
    this.#makeName = makeName;
  }

  /** Views with a subscriber. */
  get active(): number {
    return this.#byKey.size - this.#idle.size;
  }

  /** Sizes of internal collections. All must be zero once every view is gone. */
  debugCounts(): Record<string, number> {
    return {
      views: this.#byKey.size,
      hydrating: this.#hydrating.size,
      idle: this.#idle.size,
      idleBytes: this.#idleBytes,
      diffLogs: this.#diffLogs.size,
      diffLogBytes: this.#diffLogs.bytes,
      footprints: this.#footprints.size,
      ready: this.#ready.size + this.#readyCostly.size,
      resting: this.#resting.size + this.#restingNext.size + this.#restingLonger.size,
      indebted: this.#indebted.size,
      index: this.#index.isEmpty ? 0 : 1,
    };
  }

  /** The view of a filter, if there is one, idle or not. */
  find(filter: CompiledFilter): View | undefined {
    return this.#byKey.get(filter.key);
  }

  /** Estimated bytes that a view keeps, without its diff log, which has a budget of its own. */
  bytesOf(view: View): number {
    return (this.#footprints.get(view)?.filterBytes ?? 0) + resultBytes(view);
  }

  /** The same for the view of a filter; undefined if there is none, or while it is hydrated. */
  bytesOfKey(filterKey: string): number | undefined {
    const view = this.#byKey.get(filterKey);
    return view === undefined || view.isHydrating ? undefined : this.bytesOf(view);
  }

  /** Estimated bytes that a snapshot of a view keeps while it is sent; 0 for a small one. */
  snapshotBytesOf(view: View): number {
    return snapshotBytes(view, this.#table);
  }

  /** The least bytes that a new view of a filter would keep. */
  minBytesOf(filter: CompiledFilter): number {
    return filterBytes(filter) + minResultBytes(filter, this.#table);
  }

  /**
   * Returns the view of a filter, and creates it if there is none. The view stays until `release` is called
   * for it.
   *
   * @throws What encoding a user throws. Nothing of the view is left then.
   */
  acquire(filter: CompiledFilter): View {
    const existing = this.#byKey.get(filter.key);
    if (existing !== undefined) {
      this.#endIdle(existing);
      return existing;
    }
    const log = new DiffLog(this.#diffLogs);
    const view = new View(this.#makeName(), filter, this.#table, log);
    // Before the view is registered, so a failure leaves nothing to undo.
    if (view.hydrate(HYDRATE_AT_ONCE)) view.phase = "quiet";
    else this.#hydrating.add(view);
    this.#footprints.set(view, { log, filterBytes: filterBytes(filter) });
    this.#byKey.set(filter.key, view);
    this.#index.add(view);
    for (const userId of filter.userIds ?? []) {
      const user = this.#table.user(userId);
      if (user !== undefined) user.hasNoNamedViews = false;
    }
    return view;
  }

  /** Whether `hydrateMore` has something to do. */
  get isHydrating(): boolean {
    return this.#hydrating.size > 0;
  }

  /** Hydrates some more initial members of one large view. A view that fails is dropped. */
  hydrateMore(): Hydrated | undefined {
    const view = this.#hydrating.take();
    if (view === undefined) return undefined;
    try {
      if (view.hydrate(HYDRATE_AT_ONCE)) this.#wakeUp(view);
      // To the end of the queue: large views take turns.
      else this.#hydrating.add(view);
      return { view };
    } catch (error) {
      this.drop(view);
      return { view, error };
    }
  }

  /**
   * The last subscriber of a view has left. `owner` is charged while the view is kept. The view may be
   * dropped at once.
   */
  release(view: View, now: number, owner?: IdleViewOwner): void {
    const bytes = this.bytesOf(view) + (this.#footprints.get(view)?.log.bytes ?? 0);
    this.#idle.set(view, { since: now, bytes, owner });
    this.#idleBytes += bytes;
    owner?.onIdle(view.filter.key, bytes);
    while (this.#idle.size > MAX_IDLE_VIEWS || this.#idleBytes > MAX_IDLE_BYTES)
      this.drop(this.#idle.first!.key);
  }

  /** Drops the view of a filter if it has no subscriber. */
  dropIdle(filterKey: string): void {
    const view = this.#byKey.get(filterKey);
    if (view !== undefined && this.#idle.has(view)) this.drop(view);
  }

  /** Marks the user of the change in all views that the change affects. */
  markDirty(change: Change, now: number): void {
    if (this.#index.isEmpty) return;
    let marked = 0;
    this.#index.forEachAffected(change, (view) => {
      const mark = view.markDirty(change, now);
      if (mark === "unaffected") return;
      if (++marked > CROWD) view.isCrowded = true;
      if (mark === "coalesced") this.coalesced++;
      else if (view.phase === "quiet") this.#wakeUp(view);
    });
  }

  /**
   * Returns the next view that may be flushed now. The caller flushes it, publishes its diff, and then calls
   * `rest`.
   */
  takeReady(now: number): View | undefined {
    if (now >= this.#tickAt) this.#tick(now);
    const plain = this.#ready;
    const costly = this.#readyCostly;
    const view = this.#costlyLeadMs > 0 ? (plain.take() ?? costly.take()) : (costly.take() ?? plain.take());
    if (view !== undefined) view.phase = "publishing";
    return view;
  }

  /**
   * Records what the flush of a view has cost. While both kinds wait, costly views get no more time than the
   * others. Otherwise one user who is in many views with a single subscriber each would make everybody else
   * wait until all of these are flushed, however little each of them costs.
   */
  recordFlushCost(view: View, costMs: number): void {
    const spentMs = Math.max(costMs, MIN_FLUSH_MS);
    const isCostly = view.isCostly || view.isCrowded;
    if (isCostly) this.#costlyLeadMs = Math.min(this.#costlyLeadMs + spentMs, MAX_COSTLY_LEAD_MS);
    else this.#costlyLeadMs = Math.max(0, this.#costlyLeadMs - spentMs);
    view.isCostly = costMs > COSTLY_FLUSH_MS;
    view.isCrowded = false;
  }

  /** Whether no view is ready or resting. Checked after every message, as most messages affect no view. */
  get isAtRest(): boolean {
    return !this.#hasReady && !this.#someRestBriefly && this.#restingLonger.size === 0;
  }

  /** The user who is charged for an idle view. */
  ownerOf(view: View): IdleViewOwner | undefined {
    return this.#idle.get(view)?.owner;
  }

  /**
   * The diff of a view was published. The view rests for `restMs` milliseconds; 0: not at all. `debt`: when
   * the rest would end without what else its payer has used up.
   */
  rest(view: View, restMs: number, now: number, debt?: Debt): void {
    // The view may have been dropped since its flush.
    if (view.phase !== "publishing") return;
    const { isOnTick } = view;
    view.isOnTick = false;
    if (restMs <= 0) return this.#wakeUp(view);
    view.phase = "resting";
    if (restMs <= this.#intervalMs) this.#restBriefly(view, now + this.#intervalMs, isOnTick);
    else {
      this.#restingLonger.set(view, now + restMs);
      if (debt !== undefined && debt.freeAt < now + restMs) this.#indebted.set(view, debt);
    }
  }

  /** The view rests until the first tick that is not before `until`, an interval from now. */
  #restBriefly(view: View, until: number, isOnTick: boolean): void {
    // Views that were flushed on one tick stay together: the next one waits for the last of them.
    if (isOnTick || !this.#someRestBriefly) this.#tickAt = Math.max(this.#tickAt, until);
    (until <= this.#tickAt ? this.#resting : this.#restingNext).add(view);
  }

  /** Ends the rests that are over. */
  #tick(now: number): void {
    const longer = this.#restingLonger.nextDueAt() ?? Number.POSITIVE_INFINITY;
    if (!this.#someRestBriefly && longer > now) return;
    const rested = this.#resting;
    this.#resting = this.#restingNext;
    this.#restingNext = new Set();
    this.#tickAt = now + this.#intervalMs;
    for (const view of rested) this.#wakeUp(view, true);
    for (let view = this.#restingLonger.takeDue(now); view; view = this.#restingLonger.takeDue(now)) {
      this.#wakeUp(view, true);
    }
  }

  get #someRestBriefly(): boolean {
    return this.#resting.size + this.#restingNext.size > 0;
  }

  /**
   * A view has a new subscriber. Unless the subscriber is the payer of the view's debt, the view rests only
   * for what it has cost itself.
   */
  shortenRest(view: View, payer: object | undefined): void {
    const debt = this.#indebted.get(view);
    if (debt === undefined || debt.payer === payer) return;
    this.#indebted.delete(view);
    this.#restingLonger.set(view, debt.freeAt);
  }

  /** Drops the views that have been idle for `IDLE_VIEW_MS`. */
  expireIdle(now: number): void {
    for (let next = this.#idle.first; next && next.value.since + IDLE_VIEW_MS <= now; next = this.#idle.first)
      this.drop(next.key);
  }

  /** When `takeReady` or `expireIdle` next has something to do; undefined if never. */
  nextDueAt(): number | undefined {
    const longer = this.#restingLonger.nextDueAt();
    if (!this.#someRestBriefly && this.#idle.size === 0 && longer === undefined) return undefined;
    const tickAt = this.#someRestBriefly
      ? this.#tickAt
      : Math.max(longer ?? Number.POSITIVE_INFINITY, this.#tickAt);
    const idle = this.#idle.first;
    const idleUntil = idle === undefined ? Number.POSITIVE_INFINITY : idle.value.since + IDLE_VIEW_MS;
    return Math.min(tickAt, idleUntil);
  }

  /** The view may be flushed as soon as it is marked. */
  #wakeUp(view: View, isOnTick = false): void {
    this.#indebted.delete(view);
    view.phase = "quiet";
    if (!view.isMarked) return;
    view.isOnTick = isOnTick;
    this.#makeReady(view);
  }

  get #hasReady(): boolean {
    return this.#ready.size > 0 || this.#readyCostly.size > 0;
  }

  #makeReady(view: View): void {
    view.phase = "ready";
    (view.isCostly || view.isCrowded ? this.#readyCostly : this.#ready).add(view);
  }

  #removeReady(view: View): void {
    // It may have become crowded while it was ready.
    if (!this.#ready.delete(view)) this.#readyCostly.delete(view);
  }

  #endIdle(view: View): void {
    const idle = this.#idle.get(view);
    if (idle === undefined) return;
    this.#idle.delete(view);
    this.#idleBytes -= idle.bytes;
    idle.owner?.onIdleEnd(view.filter.key);
  }

  /** Removes a view and everything that is kept about it. */
  drop(view: View): void {
    this.#endIdle(view);
    this.#byKey.delete(view.filter.key);
    this.#index.remove(view);
    const footprint = this.#footprints.get(view);
    if (footprint !== undefined) this.#diffLogs.remove(footprint.log);
    this.#footprints.delete(view);
    this.#hydrating.delete(view);
    this.#removeReady(view);
    this.#resting.delete(view);
    this.#restingNext.delete(view);
    this.#restingLonger.delete(view);
    this.#indebted.delete(view);
    view.phase = "quiet";
  }
}
