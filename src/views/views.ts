import type { Change, Table } from "../sessions/table.ts";
import type { CompiledFilter } from "./compiled-filter.ts";
import { type Diff, DiffLog, DiffRings } from "./diff-log.ts";
import { View } from "./view.ts";
import { ViewIndex } from "./view-index.ts";
import { filterBytes, resultBytes } from "./view-size.ts";

/** How long a view is kept after its last subscriber left, for those who come back with a position. */
export const IDLE_VIEW_MS = 60_000;
/**
 * Bounds on what is kept for that: views, and what they keep in bytes (ids, keys, results, rings), by
 * estimate.
 */
export const MAX_IDLE_VIEWS = 4_096;
export const MAX_IDLE_BYTES = 64 * 1024 * 1024;

/** Sessions that are looked at in one go when a view is made. */
export const COLLECT_AT_ONCE = 1_000;

const NOTHING: readonly never[] = [];

/** Who is charged for an idle view: told when it begins to be kept, and when it is not kept any more. */
export interface IdleViewOwner {
  kept(filterKey: string, bytes: number): void;
  gone(filterKey: string): void;
}

interface Idle {
  readonly since: number;
  readonly bytes: number;
  readonly owner: IdleViewOwner | undefined;
}

/** What a view keeps: its ring, and in bytes its filter and its result as of a version. */
interface Footprint {
  readonly ring: DiffLog;
  measuredAt: number | undefined;
  bytes: number;
}

/** A view whose marks were looked at; without a diff if they came to nothing. */
export interface Flushed<Holder> {
  readonly view: View<Holder>;
  readonly diff: Diff | undefined;
}

/**
 * All views of one app: one per filter, shared by its subscribers. A view that was quiet is flushed at once, then rests
 * for `intervalMs`; what happens meanwhile is one diff at the end of the rest. As all rests are equally long, the
 * resting views stand in line and one timer serves them all.
 */
export class Views<Holder> {
  readonly #table: Table<Holder>;
  readonly #intervalMs: number;
  readonly #makeName: () => string;
  readonly #byKey = new Map<string, View<Holder>>();
  readonly #index = new ViewIndex<Holder>();
  /** Views whose first members are not all collected. */
  readonly #collecting = new Set<View<Holder>>();
  /** Views that were quiet and are marked. */
  readonly #ready = new Set<View<Holder>>();
  /** Views that were flushed lately and when their rest ends, the first to end first. */
  readonly #resting = new Map<View<Holder>, number>();
  /** Views without a subscriber, the one idle longest first. */
  readonly #idle = new Map<View<Holder>, Idle>();
  #idleBytes = 0;
  readonly #rings = new DiffRings();
  readonly #footprints = new Map<View<Holder>, Footprint>();
  /** Changes that went into a diff together with an earlier one of the same user. */
  folded = 0;

  constructor(table: Table<Holder>, intervalMs: number, makeName: () => string) {
    this.#table = table;
    this.#intervalMs = intervalMs;
    this.#makeName = makeName;
  }

  /** Views with a subscriber. */
  get active(): number {
    return this.#byKey.size - this.#idle.size;
  }

  /** Numbers that must all be zero when all views are gone. */
  leftovers(): Record<string, number> {
    return {
      views: this.#byKey.size,
      collecting: this.#collecting.size,
      idle: this.#idle.size,
      idleBytes: this.#idleBytes,
      rings: this.#rings.size,
      ringBytes: this.#rings.bytes,
      footprints: this.#footprints.size,
      ready: this.#ready.size,
      resting: this.#resting.size,
      index: this.#index.isEmpty ? 0 : 1,
    };
  }

  /** The view of a filter, if there is one, idle or not. */
  find(filter: CompiledFilter): View<Holder> | undefined {
    return this.#byKey.get(filter.key);
  }

  /** About how many bytes a view keeps, its ring apart, which has a budget of its own. */
  bytesOf(view: View<Holder>): number {
    const { version } = view;
    const footprint = this.#footprints.get(view);
    if (footprint?.measuredAt === version) return footprint.bytes;
    const bytes = filterBytes(view.filter) + resultBytes(view, this.#table);
    if (footprint !== undefined && !view.isCollecting) {
      footprint.measuredAt = version;
      footprint.bytes = bytes;
    }
    return bytes;
  }

  /** The view of a filter, made if there is none. It stays until `release` is called for it. */
  acquire(filter: CompiledFilter): View<Holder> {
    const existing = this.#byKey.get(filter.key);
    if (existing !== undefined) {
      this.#unidle(existing);
      return existing;
    }
    const ring = new DiffLog(this.#rings);
    const view = new View(this.#makeName(), filter, this.#table, ring);
    this.#footprints.set(view, { ring, measuredAt: undefined, bytes: 0 });
    this.#byKey.set(filter.key, view);
    this.#index.add(view);
    for (const userId of filter.userIds ?? []) {
      const user = this.#table.user(userId);
      if (user !== undefined) user.isUnasked = false;
    }
    if (!view.collect(COLLECT_AT_ONCE)) this.#collecting.add(view);
    return view;
  }

  /** Whether `collectMore` has something to do. */
  get isCollecting(): boolean {
    return this.#collecting.size > 0;
  }

  /** Collects some more of the first members of a large view; returns the view if it is complete now. */
  collectMore(): View<Holder> | undefined {
    const [view] = this.#collecting;
    if (view === undefined) return undefined;
    this.#collecting.delete(view);
    if (view.collect(COLLECT_AT_ONCE)) {
      if (view.isMarked) this.#ready.add(view);
      return view;
    }
    // To the end of the line: large views take turns.
    this.#collecting.add(view);
    return undefined;
  }

  /**
   * Says that the last subscriber of a view has left, and who is charged for keeping it. It may be dropped
   * at once.
   */
  release(view: View<Holder>, now: number, owner?: IdleViewOwner): void {
    const bytes = this.bytesOf(view) + (this.#footprints.get(view)?.ring.bytes ?? 0);
    this.#idle.set(view, { since: now, bytes, owner });
    this.#idleBytes += bytes;
    owner?.kept(view.filter.key, bytes);
    while (this.#idle.size > MAX_IDLE_VIEWS || this.#idleBytes > MAX_IDLE_BYTES) {
      const [oldest] = this.#idle.keys();
      this.#drop(oldest!);
    }
  }

  /** Drops the view of a filter if nobody watches it. */
  dropIdle(filterKey: string): void {
    const view = this.#byKey.get(filterKey);
    if (view !== undefined && this.#idle.has(view)) this.#drop(view);
  }

  /** Drops a view that was acquired and is not needed. */
  discard(view: View<Holder>): void {
    this.#drop(view);
  }

  /** Marks the user in all views that the change touches. */
  touch(change: Change<Holder>, now: number): void {
    if (this.#index.isEmpty) return;
    this.#index.forEachTouched(change, (view) => {
      const touch = view.touch(change, now);
      if (touch === "folded") this.folded++;
      else if (touch === "marked" && !this.#resting.has(view) && !this.#collecting.has(view)) {
        this.#ready.add(view);
      }
    });
  }

  /** Flushes the views that may be flushed now. */
  flush(now: number): readonly Flushed<Holder>[] {
    // Asked after every message: most touch no view.
    if (this.#ready.size === 0 && this.#resting.size === 0) return NOTHING;
    const flushed: Flushed<Holder>[] = [];
    for (const [view, restUntil] of this.#resting) {
      if (restUntil > now) break;
      this.#resting.delete(view);
      if (view.isMarked) this.#ready.add(view);
    }
    for (const view of this.#ready) {
      const diff = view.flush();
      flushed.push({ view, diff });
      if (diff !== undefined && this.#intervalMs > 0) this.#resting.set(view, now + this.#intervalMs);
    }
    this.#ready.clear();
    return flushed;
  }

  /** Drops the views that were idle for long enough. */
  expireIdle(now: number): void {
    for (const [view, { since }] of this.#idle) {
      if (since + IDLE_VIEW_MS > now) break;
      this.#drop(view);
    }
  }

  /** When `flush` or `expireIdle` next has something to do; undefined if never. */
  next(): number | undefined {
    if (this.#resting.size === 0 && this.#idle.size === 0) return undefined;
    const [restUntil] = this.#resting.values();
    const [idle] = this.#idle.values();
    if (idle === undefined) return restUntil;
    return Math.min(restUntil ?? Number.POSITIVE_INFINITY, idle.since + IDLE_VIEW_MS);
  }

  #unidle(view: View<Holder>): void {
    const idle = this.#idle.get(view);
    if (idle === undefined) return;
    this.#idle.delete(view);
    this.#idleBytes -= idle.bytes;
    idle.owner?.gone(view.filter.key);
  }

  #drop(view: View<Holder>): void {
    this.#unidle(view);
    this.#byKey.delete(view.filter.key);
    this.#index.remove(view);
    const footprint = this.#footprints.get(view);
    if (footprint !== undefined) this.#rings.remove(footprint.ring);
    this.#footprints.delete(view);
    this.#collecting.delete(view);
    this.#ready.delete(view);
    this.#resting.delete(view);
  }
}
