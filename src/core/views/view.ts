import { type EncodedEntry, encodeCauses, encodeCount } from "../../protocol/codec.ts";
import type { LeaveCause } from "../../protocol/codes.ts";
import { patchEntry } from "../sessions/entry-patch.ts";
import type { User } from "../sessions/session.ts";
import type { Change, ReadonlyTable } from "../sessions/table.ts";
import type { ViewFollower } from "./change-fold.ts";
import type { CompiledFilter } from "./compiled-filter.ts";
import { Cursor } from "./cursor.ts";
import { CountDiff, EntriesDiff } from "./diff.ts";
import { type Diff, DiffLog } from "./diff-log.ts";

/**
 * The mark of a user whose entry must be checked again, and who is in the result as far as the view knows.
 */
const PRESENT = null;

/** Where a view stands in the registry. */
export type ViewPhase =
  /** Its initial members are not all hydrated. */
  | "hydrating"
  /** A mark makes it ready. */
  | "quiet"
  /** It is marked, and queued for its flush. */
  | "ready"
  /** It was flushed, and its diff is on the way to its subscribers. */
  | "publishing"
  /** It was flushed recently: marks wait until the rest is over. */
  | "resting";

/** The outcome of one flush. */
export interface Flush {
  /** Undefined: the result has not changed. */
  readonly diff: Diff | undefined;
  /** Number of users whose entries changed, including users who left. */
  readonly changes: number;
  /** Errors from encoding users. These users stay marked, and the diff is about the others. */
  readonly errors: readonly unknown[];
}

const NO_ERRORS: readonly unknown[] = [];
const UNCHANGED: Flush = { diff: undefined, changes: 0, errors: NO_ERRORS };

/**
 * The live result of one filter. `(name, version)` identifies one exact state: `members` as of the last
 * flush. Changes since then are only marks on users, so a burst of changes costs one check of each user that
 * it affects.
 */
export class View {
  readonly name: string;
  readonly filter: CompiledFilter;
  /** Written only by the registry. */
  phase: ViewPhase = "hydrating";
  /** Whether its last flush was costly. Written only by the registry. */
  isCostly = false;
  /** Whether a change that many views show has marked it. Written only by the registry. */
  isCrowded = false;
  /** Whether a tick has made it ready. Written only by the registry. */
  isOnTick = false;
  readonly #table: ReadonlyTable;
  readonly #members = new Map<string, EncodedEntry>();
  /** Users affected since the last flush: still in the result, or the reason why they last left. */
  readonly #marks = new Map<string, LeaveCause | typeof PRESENT>();
  /** UTF-16 units of all entries. */
  #length = 0;
  readonly #log: DiffLog;
  #version = 1;
  /** Iterates over the initial members; undefined once all are hydrated. */
  #cursor: Cursor | undefined;
  /** The entries so far, in a list that grows, while a large view is hydrated. */
  #hydrated: EncodedEntry[] | undefined;
  /** Undefined: nobody follows the changes of single users. */
  #followers: Set<ViewFollower> | undefined;
  /** When the oldest mark was made, to measure the delay of diffs. */
  markedAt = 0;
  /** Whether the last flush left out users that it could not encode. */
  hasLeftOut = false;

  constructor(name: string, filter: CompiledFilter, table: ReadonlyTable, log = new DiffLog()) {
    this.#log = log;
    this.name = name;
    this.filter = filter;
    this.#table = table;
    this.#cursor = new Cursor(filter, table);
  }

  get version(): number {
    return this.#version;
  }

  /** How many users are in the result as of `version`. */
  get size(): number {
    return this.#members.size;
  }

  /** The length of all entries in the result, in UTF-16 units. */
  get length(): number {
    return this.#length;
  }

  /** Whether users are marked, so that the next flush may bring a diff. */
  get isMarked(): boolean {
    return this.#marks.size > 0;
  }

  /** Whether initial members are still missing. */
  get isHydrating(): boolean {
    return this.#cursor !== undefined;
  }

  /** The share of the initial members that is hydrated, from 0 to 1. */
  get hydratedShare(): number {
    return this.#cursor?.progress ?? 1;
  }

  /**
   * Hydrates initial members from up to `count` more sessions. Returns true when all are hydrated, and must
   * not be called again then. Until then the view may be marked, but not flushed. A user who changes
   * meanwhile is hydrated with the new state, or marked, or both; the first flush resolves that.
   *
   * @throws What encoding a user throws. The view is unusable then.
   */
  hydrate(count: number): boolean {
    const isDone = this.#cursor!.step(count, (user) => {
      const entry = this.#encode(user);
      this.#length += entry.length - (this.#members.get(user.userId)?.length ?? 0);
      this.#members.set(user.userId, entry);
      this.#hydrated?.push(entry);
    });
    if (isDone) {
      this.#cursor = undefined;
      this.#hydrated = undefined;
    } else this.#hydrated ??= [...this.#members.values()];
    return isDone;
  }

  /**
   * The result as of `version`, one entry per user. While the view is hydrated: the entries so far, in a list
   * to which more are appended.
   */
  members(): readonly EncodedEntry[] {
    return this.#hydrated ?? [...this.#members.values()];
  }

  /** The user's entry in the result as of `version`; undefined for a user who is not in it. */
  entry(userId: string): EncodedEntry | undefined {
    return this.#members.get(userId);
  }

  /** Tells a follower of the changes of users from the present version on. */
  follow(follower: ViewFollower): void {
    this.#followers ??= new Set();
    this.#followers.add(follower);
  }

  unfollow(follower: ViewFollower): void {
    this.#followers?.delete(follower);
    if (this.#followers?.size === 0) this.#followers = undefined;
  }

  /** The diffs after `version`; undefined if only a snapshot can help. */
  since(version: number): readonly Diff[] | undefined {
    return this.#log.since(version, this.#version);
  }

  /**
   * Marks the user of a change, if the change can affect the result. The filter's `userIds` must admit the
   * user. Returns `coalesced` if the user was marked before.
   */
  markDirty(change: Change, now: number): "marked" | "coalesced" | "unaffected" {
    const { filter } = this;
    if (!filter.isAffectedBy(change)) return "unaffected";
    const { userId } = change.user;
    const mark = this.#marks.get(userId);
    const wasIn = mark === undefined ? this.#members.has(userId) : mark === PRESENT;
    if (this.#marks.size === 0) this.markedAt = now;
    if (filter.includes(change.user)) this.#marks.set(userId, PRESENT);
    else if (wasIn) this.#marks.set(userId, change.cause);
    else return "unaffected";
    return mark === undefined ? "marked" : "coalesced";
  }

  /**
   * Checks the marked users, and advances to the next version if the result has changed. The whole diff is
   * built before anything changes: if that fails, the view keeps its version and its marks.
   *
   * @param withPatches Whether some subscriber takes patches. If not, the diff has none.
   * @throws What encoding the diff as a whole throws.
   */
  flush(withPatches = false): Flush {
    const entries: EncodedEntry[] = [];
    /** The same with patches, once there is one. */
    let patches: EncodedEntry[] | undefined;
    const entered: EncodedEntry[] = [];
    const enteredIds: string[] = [];
    const left = new Map<string, LeaveCause>();
    let grown = 0;
    let failed: string[] | undefined;
    let errors: unknown[] | undefined;
    for (const [userId, mark] of this.#marks) {
      const before = this.#members.get(userId);
      let entry: EncodedEntry | undefined;
      let patch: EncodedEntry | undefined;
      try {
        entry = this.#entryOf(userId);
        patch = entry;
        if (withPatches && entry !== undefined && before !== undefined && entry !== before)
          patch = patchEntry(before, entry, this.filter.fields);
      } catch (error) {
        failed ??= [];
        failed.push(userId);
        errors ??= [];
        errors.push(error);
        continue;
      }
      if (entry === before) continue;
      grown += (entry?.length ?? 0) - (before?.length ?? 0);
      if (entry !== undefined) {
        if (patch !== entry) patches ??= entries.slice();
        patches?.push(patch!);
        entries.push(entry);
        entered.push(entry);
        enteredIds.push(userId);
      } else {
        const leaves = `${JSON.stringify(userId)}:null`;
        patches?.push(leaves);
        entries.push(leaves);
        left.set(userId, mark ?? "changed");
      }
    }
    const diff = this.#diffOf(entries, patches, left, entered.length - left.size);

    // From here on nothing can fail.
    if (this.#followers !== undefined) this.#tell(enteredIds, left);
    for (let i = 0; i < entered.length; i++) this.#members.set(enteredIds[i]!, entered[i]!);
    for (const userId of left.keys()) this.#members.delete(userId);
    this.#length += grown;
    this.#unmarkAllBut(failed);
    this.hasLeftOut = failed !== undefined;
    if (diff !== undefined) {
      this.#version = diff.version;
      this.#log.push(diff);
    } else if (failed === undefined) return UNCHANGED;
    return { diff, changes: entries.length, errors: errors ?? NO_ERRORS };
  }

  /** The user's entry in the result as it is now; undefined for a user who is not in it. */
  #entryOf(userId: string): EncodedEntry | undefined {
    const user = this.#table.user(userId);
    return user !== undefined && this.filter.includes(user) ? this.#encode(user) : undefined;
  }

  /** Tells the followers of a change, before the members are changed. */
  #tell(entered: readonly string[], left: ReadonlyMap<string, LeaveCause>): void {
    for (const follower of this.#followers!) {
      for (const userId of entered) follower.changed(userId, this.#members.has(userId), undefined);
      for (const [userId, cause] of left) follower.changed(userId, true, cause);
    }
  }

  /** A count needs no entries, only who is there. */
  #encode(user: User): EncodedEntry {
    return this.filter.isCount ? "" : user.encodedEntry(this.filter);
  }

  /**
   * The change to the next version; undefined if there is none. `grown`: how many more users are in the
   * result of a count.
   */
  #diffOf(
    entries: readonly EncodedEntry[],
    patches: readonly EncodedEntry[] | undefined,
    left: ReadonlyMap<string, LeaveCause>,
    grown: number,
  ): Diff | undefined {
    const version = this.#version + 1;
    if (this.filter.isCount) {
      return grown === 0
        ? undefined
        : new CountDiff(version, encodeCount(this.name, version, this.size + grown));
    }
    return entries.length === 0
      ? undefined
      : new EntriesDiff(this.name, version, entries, patches, encodeCauses(left));
  }

  #unmarkAllBut(userIds: readonly string[] | undefined): void {
    if (userIds === undefined) return this.#marks.clear();
    const kept = userIds.map((userId) => [userId, this.#marks.get(userId)!] as const);
    this.#marks.clear();
    for (const [userId, mark] of kept) this.#marks.set(userId, mark);
  }
}
