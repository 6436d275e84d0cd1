import { type EncodedEntry, encodeDiff } from "../../protocol/codec.ts";
import type { LeaveCause } from "../../protocol/codes.ts";
import type { Change, ReadonlyTable } from "../sessions/table.ts";
import type { CompiledFilter } from "./compiled-filter.ts";
import { Cursor } from "./cursor.ts";
import { type Diff, DiffLog } from "./diff-log.ts";

/**
 * A mark on a user whose entry must be looked at again, and who is in the result as far as the view knows.
 */
const PRESENT = null;

/** What the registry does with a view next. */
export type ViewPhase =
  /** Its first members are not all hydrated. */
  | "hydrating"
  /** A mark makes it ready. */
  | "quiet"
  /** It is marked, and stands in line for its flush. */
  | "ready"
  /** It was flushed, and its diff is on the way to its subscribers. */
  | "publishing"
  /** It was flushed lately: marks wait until its rest is over. */
  | "resting";

/** One flush: what became of the marked users. */
export interface Flush {
  /** undefined: the result is as it was. */
  readonly diff: Diff | undefined;
  /** Users whose entries changed, those who left included. */
  readonly changes: number;
  /** What encoding a user has thrown. These users stay marked, and the diff is about the others. */
  readonly errors: readonly unknown[];
}

const NO_ERRORS: readonly unknown[] = [];
const UNCHANGED: Flush = { diff: undefined, changes: 0, errors: NO_ERRORS };

/**
 * The live result of one filter. `(name, version)` names one exact state: `members` as of the last flush.
 * Changes since then are only marks on users, so a burst costs one look at each user it touched.
 */
export class View {
  readonly name: string;
  readonly filter: CompiledFilter;
  /** Written by the registry alone. */
  phase: ViewPhase = "hydrating";
  /** Whether its last flush was dear. Written by the registry alone, too. */
  isCostly = false;
  readonly #table: ReadonlyTable;
  readonly #members = new Map<string, EncodedEntry>();
  /** Users touched since the last flush: present, or the reason why they last left. */
  readonly #marks = new Map<string, LeaveCause | typeof PRESENT>();
  /** Characters of all members. */
  #length = 0;
  readonly #log: DiffLog;
  #version = 1;
  /** Hydrates the first members; undefined once it is done. */
  #cursor: Cursor | undefined;
  /** The members so far, in a list that grows, while a large view is hydrated. */
  #hydrated: EncodedEntry[] | undefined;
  /** When the oldest mark was made; for measuring how late diffs are. */
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

  /** How many characters the entries in the result have. */
  get length(): number {
    return this.#length;
  }

  /** Whether users are marked, so that the next flush may bring a diff. */
  get isMarked(): boolean {
    return this.#marks.size > 0;
  }

  /** Whether first members are still to come. */
  get isHydrating(): boolean {
    return this.#cursor !== undefined;
  }

  /** How much of the first members is hydrated, from 0 to 1. */
  get hydratedShare(): number {
    return this.#cursor?.progress ?? 1;
  }

  /**
   * Hydrates first members from up to `count` more sessions; true when that is done, and then it must not be
   * called again. Until then the view may be touched, but not flushed: what changes meanwhile is hydrated as
   * it is then, or marked, or both, and the first flush finds out.
   *
   * @throws What encoding a user throws. The view is of no use then.
   */
  hydrate(count: number): boolean {
    const { filter } = this;
    const isDone = this.#cursor!.step(count, (user) => {
      const entry = user.encodedEntry(filter);
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
   * The result as of `version`, an entry a user. While the view is hydrated, those so far; more will be put
   * at the end.
   */
  members(): readonly EncodedEntry[] {
    return this.#hydrated ?? [...this.#members.values()];
  }

  /** The diffs after `version`, or undefined when only a snapshot can help. */
  since(version: number): readonly Diff[] | undefined {
    return this.#log.since(version, this.#version);
  }

  /**
   * Takes note of a change of a user whom the filter's `userIds` admit: the user is marked now, was marked
   * already, or the change is nothing to this view.
   */
  markDirty(change: Change, now: number): "marked" | "coalesced" | "unaffected" {
    const { filter } = this;
    const affectsStatus = (filter.statusSet & change.statusSet) !== 0;
    if (!affectsStatus && !(change.visibilityFlipped && filter.includeBackground)) return "unaffected";
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
   * Looks at the marked users, and moves on to the next version if the result has changed. The whole diff is
   * made before anything changes: if it cannot be made, the view stays at its version with its marks.
   *
   * @throws What encoding the diff as a whole throws.
   */
  flush(): Flush {
    const entries: EncodedEntry[] = [];
    const entered: EncodedEntry[] = [];
    const enteredIds: string[] = [];
    const left = new Map<string, LeaveCause>();
    let grown = 0;
    let failed: string[] | undefined;
    let errors: unknown[] | undefined;
    for (const [userId, mark] of this.#marks) {
      let entry: EncodedEntry | undefined;
      try {
        entry = this.#entryOf(userId);
      } catch (error) {
        failed ??= [];
        failed.push(userId);
        errors ??= [];
        errors.push(error);
        continue;
      }
      const before = this.#members.get(userId);
      if (entry === before) continue;
      grown += (entry?.length ?? 0) - (before?.length ?? 0);
      if (entry !== undefined) {
        entries.push(entry);
        entered.push(entry);
        enteredIds.push(userId);
      } else {
        entries.push(`${JSON.stringify(userId)}:null`);
        left.set(userId, mark ?? "changed");
      }
    }
    const version = this.#version + 1;
    const diff =
      entries.length === 0 ? undefined : { version, text: encodeDiff(this.name, version, entries, left) };

    // From here on nothing can fail.
    for (let i = 0; i < entered.length; i++) this.#members.set(enteredIds[i]!, entered[i]!);
    for (const userId of left.keys()) this.#members.delete(userId);
    this.#length += grown;
    this.#unmarkAllBut(failed);
    this.hasLeftOut = failed !== undefined;
    if (diff !== undefined) {
      this.#version = version;
      this.#log.push(diff);
    } else if (failed === undefined) return UNCHANGED;
    return { diff, changes: entries.length, errors: errors ?? NO_ERRORS };
  }

  /** The user's entry in the result; undefined for a user who is not in it. */
  #entryOf(userId: string): EncodedEntry | undefined {
    const user = this.#table.user(userId);
    return user !== undefined && this.filter.includes(user) ? user.encodedEntry(this.filter) : undefined;
  }

  #unmarkAllBut(userIds: readonly string[] | undefined): void {
    if (userIds === undefined) return this.#marks.clear();
    const kept = userIds.map((userId) => [userId, this.#marks.get(userId)!] as const);
    this.#marks.clear();
    for (const [userId, mark] of kept) this.#marks.set(userId, mark);
  }
}
