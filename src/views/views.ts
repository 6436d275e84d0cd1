import type { Change, Table } from "../sessions/table.ts";
import { Deadlines } from "../shared/deadlines.ts";
import type { CompiledFilter } from "./compiled-filter.ts";
import { View } from "./view.ts";
import { ViewIndex } from "./view-index.ts";

/** How long a view is kept after its last subscriber left, for those who come back with a position. */
export const IDLE_VIEW_MS = 60_000;
/** Bounds on what is kept for that: views, and users in them. The views idle longest go first. */
export const MAX_IDLE_VIEWS = 4_096;
export const MAX_IDLE_MEMBERS = 200_000;

/** Sessions that are looked at in one go when a view is made. */
export const COLLECT_AT_ONCE = 1_000;

interface Idle {
  readonly since: number;
  readonly members: number;
}

/** A view of which more first members are there. */
export interface Collected<Holder> {
  readonly view: View<Holder>;
  /** Why it could not be collected: it is dropped then. */
  readonly error?: unknown;
}

/**
 * All views of one app: one per filter, shared by its subscribers. A view that was quiet is flushed at once, then rests;
 * what happens meanwhile is one diff at the end of the rest. Whoever publishes the diff says how long the view rests:
 * at least `intervalMs`, and longer if it was dear.
 */
export class Views<Holder> {
  readonly #table: Table<Holder>;
  readonly #intervalMs: number;
  readonly #makeName: () => string;
  readonly #byKey = new Map<string, View<Holder>>();
  readonly #index = new ViewIndex<Holder>();
  /** Views whose first members are not all collected. */
  readonly #collecting = new Set<View<Holder>>();
  /** Views to flush, the one marked first in front. */
  readonly #ready = new Set<View<Holder>>();
  /** Views that rest for `intervalMs`, and until when. As all rest equally long, the first to end is in front. */
  readonly #resting = new Map<View<Holder>, number>();
  /** Views that rest for longer. */
  readonly #restingLonger = new Deadlines<View<Holder>>();
  /** Views without a subscriber, the one idle longest first. */
  readonly #idle = new Map<View<Holder>, Idle>();
  #idleMembers = 0;
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
      idleMembers: this.#idleMembers,
      ready: this.#ready.size,
      resting: this.#resting.size + this.#restingLonger.size,
      index: this.#index.isEmpty ? 0 : 1,
    };
  }

  /**
   * The view of a filter, made if there is none. It stays until `release` is called for it.
   *
   * @throws What encoding a user throws. Nothing is left of the view then.
   */
  acquire(filter: CompiledFilter): View<Holder> {
    const existing = this.#byKey.get(filter.key);
    if (existing !== undefined) {
      this.#unidle(existing);
      return existing;
    }
    const view = new View(this.#makeName(), filter, this.#table);
    // Before the view is registered: if this fails, there is nothing to take back.
    if (view.collect(COLLECT_AT_ONCE)) view.phase = "quiet";
    else this.#collecting.add(view);
    this.#byKey.set(filter.key, view);
    this.#index.add(view);
    for (const userId of filter.userIds ?? []) {
      const user = this.#table.user(userId);
      if (user !== undefined) user.isUnasked = false;
    }
    return view;
  }

  /** Whether `collectMore` has something to do. */
  get isCollecting(): boolean {
    return this.#collecting.size > 0;
  }

  /** Collects some more of the first members of a large view. A view that cannot be collected is dropped. */
  collectMore(): Collected<Holder> | undefined {
    const [view] = this.#collecting;
    if (view === undefined) return undefined;
    this.#collecting.delete(view);
    try {
      if (view.collect(COLLECT_AT_ONCE)) this.#wakeUp(view);
      // To the end of the line: large views take turns.
      else this.#collecting.add(view);
      return { view };
    } catch (error) {
      this.drop(view);
      return { view, error };
    }
  }

  /** Says that the last subscriber of a view has left. */
  release(view: View<Holder>, now: number): void {
    this.#idle.set(view, { since: now, members: view.size });
    this.#idleMembers += view.size;
    while (this.#idle.size > MAX_IDLE_VIEWS || this.#idleMembers > MAX_IDLE_MEMBERS) {
      const [oldest] = this.#idle.keys();
      this.drop(oldest!);
    }
  }

  /** Marks the user in all views that the change touches. */
  touch(change: Change<Holder>, now: number): void {
    if (this.#index.isEmpty) return;
    this.#index.forEachTouched(change, (view) => {
      const touch = view.touch(change, now);
      if (touch === "folded") this.folded++;
      else if (touch === "marked" && view.phase === "quiet") this.#wakeUp(view);
    });
  }

  /**
   * Takes the next view that may be flushed now, if there is one. The caller flushes it, publishes its diff, and then
   * calls `rest`.
   */
  takeReady(now: number): View<Holder> | undefined {
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
    const [view] = this.#ready;
    if (view === undefined) return undefined;
    this.#ready.delete(view);
    view.phase = "publishing";
    return view;
  }

  /** Whether `takeReady` may have something to give. Asked after every message: most touch no view. */
  get isAtRest(): boolean {
    return this.#ready.size === 0 && this.#resting.size === 0 && this.#restingLonger.size === 0;
  }

  /** The diff of a view is out. The view rests for `restMs`, 0 for no rest at all. */
  rest(view: View<Holder>, restMs: number, now: number): void {
    // It may have been dropped since it was flushed.
    if (view.phase !== "publishing") return;
    if (restMs <= 0) return this.#wakeUp(view);
    view.phase = "resting";
    if (restMs <= this.#intervalMs) this.#resting.set(view, now + this.#intervalMs);
    else this.#restingLonger.set(view, now + restMs);
  }

  /** Drops the views that were idle for long enough. */
  expireIdle(now: number): void {
    for (const [view, { since }] of this.#idle) {
      if (since + IDLE_VIEW_MS > now) break;
      this.drop(view);
    }
  }

  /** When `takeReady` or `expireIdle` next has something to do; undefined if never. */
  next(): number | undefined {
    if (this.#resting.size === 0 && this.#idle.size === 0 && this.#restingLonger.size === 0) return undefined;
    const [restUntil = Number.POSITIVE_INFINITY] = this.#resting.values();
    const [idle] = this.#idle.values();
    const idleUntil = idle === undefined ? Number.POSITIVE_INFINITY : idle.since + IDLE_VIEW_MS;
    return Math.min(restUntil, this.#restingLonger.next() ?? Number.POSITIVE_INFINITY, idleUntil);
  }

  /** The view may be flushed as soon as it is marked. */
  #wakeUp(view: View<Holder>): void {
    view.phase = view.isMarked ? "ready" : "quiet";
    if (view.isMarked) this.#ready.add(view);
  }

  #unidle(view: View<Holder>): void {
    const idle = this.#idle.get(view);
    if (idle === undefined) return;
    this.#idle.delete(view);
    this.#idleMembers -= idle.members;
  }

  /** Takes a view out, as if it had never been. */
  drop(view: View<Holder>): void {
    this.#unidle(view);
    this.#byKey.delete(view.filter.key);
    this.#index.remove(view);
    this.#collecting.delete(view);
    this.#ready.delete(view);
    this.#resting.delete(view);
    this.#restingLonger.delete(view);
    view.phase = "quiet";
  }
}
