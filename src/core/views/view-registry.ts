import { Deadlines } from "../collections/deadlines.ts";
import type { Change, ReadonlyTable } from "../sessions/table.ts";
import type { CompiledFilter } from "./compiled-filter.ts";
import { DiffLog, DiffLogBudget } from "./diff-log.ts";
import { View } from "./view.ts";
import { ViewIndex } from "./view-index.ts";
import { filterBytes, HYDRATE_AT_ONCE, minResultBytes, resultBytes, snapshotBytes } from "./view-size.ts";

/** How long a view is kept after its last subscriber left, for those who come back with a position. */
export const IDLE_VIEW_MS = 60_000;
/**
 * Bounds on what is kept for that: views, and what they keep in bytes (ids, keys, results, rings), by
 * estimate.
 */
export const MAX_IDLE_VIEWS = 4_096;
export const MAX_IDLE_BYTES = 64 * 1024 * 1024;
/** A flush that costs more than this is dear; every one counts for a little. See `flushed`. */
const COSTLY_FLUSH_MS = 0.1;
const MIN_FLUSH_MS = 0.002;
/** Dear ones need not wait for longer for what they had while nobody else waited. */
const MAX_COSTLY_LEAD_MS = 1;

/** Who is charged for an idle view: told when it begins to be kept, and when it is not kept any more. */
export interface IdleViewOwner {
  /** See `FlushPayer`: flushes of what is kept cost as much as those of what is watched. */
  flushFreeAt: number;
  onIdle(filterKey: string, bytes: number): void;
  onIdleEnd(filterKey: string): void;
}

interface IdleView {
  readonly since: number;
  readonly bytes: number;
  readonly owner: IdleViewOwner | undefined;
}

/** A view rests longer than it would for itself, as its payer has used up more than its own flush cost. */
interface Debt {
  readonly payer: object;
  /** When it would be free otherwise. */
  readonly freeAt: number;
}

/** What a view keeps beside its result: its ring, and in bytes its filter. */
interface Footprint {
  readonly log: DiffLog;
  readonly filterBytes: number;
}

/** A view of which more first members are there. */
export interface Hydrated {
  readonly view: View;
  /** Why it could not be hydrated: it is dropped then. */
  readonly error?: unknown;
}

/**
 * All views of one app: one per filter, shared by its subscribers. A view that was quiet is flushed at once,
 * then rests; what happens meanwhile is one diff at the end of the rest. Whoever publishes the diff says how
 * long the view rests: at least `intervalMs`, and longer if it was dear.
 */
export class ViewRegistry {
  readonly #table: ReadonlyTable;
  readonly #intervalMs: number;
  readonly #makeName: () => string;
  readonly #byKey = new Map<string, View>();
  readonly #index = new ViewIndex();
  /** Views whose first members are not all hydrated. */
  readonly #hydrating = new Set<View>();
  /**
   * Views to flush, the one marked first in front. Those whose last diff was dear stand in a line of their
   * own.
   */
  readonly #ready = new Set<View>();
  readonly #readyCostly = new Set<View>();
  /** How much more time the dear ones have had than the others, in milliseconds. */
  #costlyLeadMs = 0;
  /**
   * Views that rest for `intervalMs`, and until when. As all rest equally long, the first to end is in front.
   */
  readonly #resting = new Map<View, number>();
  /** Views that rest for longer. */
  readonly #restingLonger = new Deadlines<View>();
  /** Those of them that rest for what others of their payer have cost. */
  readonly #indebted = new Map<View, Debt>();
  /** Views without a subscriber, the one idle longest first. */
  readonly #idle = new Map<View, IdleView>();
  #idleBytes = 0;
  readonly #diffLogs = new DiffLogBudget();
  readonly #footprints = new Map<View, Footprint>();
  /** Changes that went into a diff together with an earlier one of the same user. */
  coalesced = 0;

  constructor(table: ReadonlyTable, intervalMs: number, makeName: () => string) {
    this.#table = table;
    this.#intervalMs = intervalMs;
    this.#makeName = makeName;
  }

  /** Views with a subscriber. */
  get active(): number {
    return this.#byKey.size - this.#idle.size;
  }

  /** Numbers that must all be zero when all views are gone. */
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
      resting: this.#resting.size + this.#restingLonger.size,
      indebted: this.#indebted.size,
      index: this.#index.isEmpty ? 0 : 1,
    };
  }

  /** The view of a filter, if there is one, idle or not. */
  find(filter: CompiledFilter): View | undefined {
    return this.#byKey.get(filter.key);
  }

  /** About how many bytes a view keeps, its ring apart, which has a budget of its own. */
  bytesOf(view: View): number {
    return (this.#footprints.get(view)?.filterBytes ?? 0) + resultBytes(view);
  }

  /** The same for the view of a filter; undefined if there is none, or it is not known yet. */
  bytesOfKey(filterKey: string): number | undefined {
    const view = this.#byKey.get(filterKey);
    return view === undefined || view.isHydrating ? undefined : this.bytesOf(view);
  }

  /** What a snapshot of a view keeps while it is sent; nothing where that is little. */
  snapshotBytesOf(view: View): number {
    return snapshotBytes(view, this.#table);
  }

  /** What the view of a filter that has none would keep at least. */
  minBytesOf(filter: CompiledFilter): number {
    return filterBytes(filter) + minResultBytes(filter, this.#table);
  }

  /**
   * The view of a filter, made if there is none. It stays until `release` is called for it.
   *
   * @throws What encoding a user throws. Nothing is left of the view then.
   */
  acquire(filter: CompiledFilter): View {
    const existing = this.#byKey.get(filter.key);
    if (existing !== undefined) {
      this.#endIdle(existing);
      return existing;
    }
    const log = new DiffLog(this.#diffLogs);
    const view = new View(this.#makeName(), filter, this.#table, log);
    // Before the view is registered: if this fails, there is nothing to take back.
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

  /** Hydrates some more of the first members of a large view. A view that cannot be hydrated is dropped. */
  hydrateMore(): Hydrated | undefined {
    const [view] = this.#hydrating;
    if (view === undefined) return undefined;
    this.#hydrating.delete(view);
    try {
      if (view.hydrate(HYDRATE_AT_ONCE)) this.#wakeUp(view);
      // To the end of the line: large views take turns.
      else this.#hydrating.add(view);
      return { view };
    } catch (error) {
      this.drop(view);
      return { view, error };
    }
  }

  /**
   * Says that the last subscriber of a view has left, and who is charged for keeping it. It may be dropped
   * at once.
   */
  release(view: View, now: number, owner?: IdleViewOwner): void {
    const bytes = this.bytesOf(view) + (this.#footprints.get(view)?.log.bytes ?? 0);
    this.#idle.set(view, { since: now, bytes, owner });
    this.#idleBytes += bytes;
    owner?.onIdle(view.filter.key, bytes);
    while (this.#idle.size > MAX_IDLE_VIEWS || this.#idleBytes > MAX_IDLE_BYTES) {
      const [oldest] = this.#idle.keys();
      this.drop(oldest!);
    }
  }

  /** Drops the view of a filter if nobody watches it. */
  dropIdle(filterKey: string): void {
    const view = this.#byKey.get(filterKey);
    if (view !== undefined && this.#idle.has(view)) this.drop(view);
  }

  /** Marks the user in all views that the change touches. */
  markDirty(change: Change, now: number): void {
    if (this.#index.isEmpty) return;
    this.#index.forEachAffected(change, (view) => {
      const mark = view.markDirty(change, now);
      if (mark === "coalesced") this.coalesced++;
      else if (mark === "marked" && view.phase === "quiet") this.#wakeUp(view);
    });
  }

  /**
   * Takes the next view that may be flushed now, if there is one. The caller flushes it, publishes its diff,
   * and then calls `rest`.
   */
  takeReady(now: number): View | undefined {
    for (const [view, restUntil] of this.#resting) {
      if (restUntil > now) break;
      this.#resting.delete(view);
      this.#wakeUp(view);
    }
    if (this.#restingLonger.size > 0) {
      for (let view = this.#restingLonger.takeDue(now); view; view = this.#restingLonger.takeDue(now)) {
        this.#wakeUp(view);
      }
    }
    const [plain] = this.#ready;
    const [costly] = this.#readyCostly;
    const view = costly === undefined || this.#costlyLeadMs > 0 ? (plain ?? costly) : costly;
    if (view === undefined) return undefined;
    this.#removeReady(view);
    view.phase = "publishing";
    return view;
  }

  /**
   * What the flush of a view has cost. While both wait, the dear ones have no more time than the others: one
   * user whom many watch, each in a view of their own, would keep everybody else waiting until all those are
   * flushed.
   */
  recordFlushCost(view: View, costMs: number): void {
    const spentMs = Math.max(costMs, MIN_FLUSH_MS);
    if (view.isCostly) this.#costlyLeadMs = Math.min(this.#costlyLeadMs + spentMs, MAX_COSTLY_LEAD_MS);
    else this.#costlyLeadMs = Math.max(0, this.#costlyLeadMs - spentMs);
    view.isCostly = costMs > COSTLY_FLUSH_MS;
  }

  /** Whether `takeReady` may have something to give. Asked after every message: most touch no view. */
  get isAtRest(): boolean {
    return !this.#hasReady && this.#resting.size === 0 && this.#restingLonger.size === 0;
  }

  /** Who is charged for a view that nobody watches. */
  ownerOf(view: View): IdleViewOwner | undefined {
    return this.#idle.get(view)?.owner;
  }

  /**
   * The diff of a view is out. The view rests for `restMs`, 0 for no rest at all. `debt`: how long it would
   * rest if it were not for what else its payer has used up.
   */
  rest(view: View, restMs: number, now: number, debt?: Debt): void {
    // It may have been dropped since it was flushed.
    if (view.phase !== "publishing") return;
    if (restMs <= 0) return this.#wakeUp(view);
    view.phase = "resting";
    if (restMs <= this.#intervalMs) this.#resting.set(view, now + this.#intervalMs);
    else {
      this.#restingLonger.set(view, now + restMs);
      if (debt !== undefined && debt.freeAt < now + restMs) this.#indebted.set(view, debt);
    }
  }

  /**
   * Somebody watches a view: unless they are the payer that it rests for, it rests only for what it has
   * cost itself.
   */
  shortenRest(view: View, payer: object | undefined): void {
    const debt = this.#indebted.get(view);
    if (debt === undefined || debt.payer === payer) return;
    this.#indebted.delete(view);
    this.#restingLonger.set(view, debt.freeAt);
  }

  /** Drops the views that were idle for long enough. */
  expireIdle(now: number): void {
    for (const [view, { since }] of this.#idle) {
      if (since + IDLE_VIEW_MS > now) break;
      this.drop(view);
    }
  }

  /** When `takeReady` or `expireIdle` next has something to do; undefined if never. */
  nextDueAt(): number | undefined {
    if (this.#resting.size === 0 && this.#idle.size === 0 && this.#restingLonger.size === 0) return undefined;
    const [restUntil = Number.POSITIVE_INFINITY] = this.#resting.values();
    const [idle] = this.#idle.values();
    const idleUntil = idle === undefined ? Number.POSITIVE_INFINITY : idle.since + IDLE_VIEW_MS;
    return Math.min(restUntil, this.#restingLonger.nextDueAt() ?? Number.POSITIVE_INFINITY, idleUntil);
  }

  /** The view may be flushed as soon as it is marked. */
  #wakeUp(view: View): void {
    this.#indebted.delete(view);
    view.phase = "quiet";
    if (view.isMarked) this.#makeReady(view);
  }

  get #hasReady(): boolean {
    return this.#ready.size > 0 || this.#readyCostly.size > 0;
  }

  #makeReady(view: View): void {
    view.phase = "ready";
    (view.isCostly ? this.#readyCostly : this.#ready).add(view);
  }

  #removeReady(view: View): void {
    (view.isCostly ? this.#readyCostly : this.#ready).delete(view);
  }

  #endIdle(view: View): void {
    const idle = this.#idle.get(view);
    if (idle === undefined) return;
    this.#idle.delete(view);
    this.#idleBytes -= idle.bytes;
    idle.owner?.onIdleEnd(view.filter.key);
  }

  /** Takes a view out, as if it had never been. */
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
    this.#restingLonger.delete(view);
    this.#indebted.delete(view);
    view.phase = "quiet";
  }
}
