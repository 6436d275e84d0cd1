import type { PresenceChange, PresenceSnapshot } from "../../client/types.ts";
import { type Counts, countRow, zeroCounts } from "./counts.ts";
import { DEFAULT_SORT, type Sort } from "./dashboard-state.ts";
import { changedRow, firstRow, matchesSearch, type Row, type RowContext } from "./row.ts";
import { type Compare, compareBy, insertionIndex, insertSorted } from "./row-order.ts";

/**
 * The rows of the table: one for each user of the snapshot, and the sorted ones that match the search. A
 * change moves only the rows that it affects.
 */
export class Rows {
  #byUser = new Map<string, Row>();
  #shown: readonly Row[] = [];
  #counts: Counts = zeroCounts();
  #search = "";
  #sort: Sort = DEFAULT_SORT;
  #compare: Compare = compareBy(DEFAULT_SORT);

  /** The sorted rows that match the search. Each change creates a new array. */
  get shown(): readonly Row[] {
    return this.#shown;
  }

  get counts(): Readonly<Counts> {
    return this.#counts;
  }

  get(userId: string): Row | undefined {
    return this.#byUser.get(userId);
  }

  /** Index of a user's row in `shown`, or -1. */
  indexOf(userId: string): number {
    const row = this.#byUser.get(userId);
    if (row === undefined) return -1;
    const place = insertionIndex(this.#shown, row, this.#compare);
    return this.#shown[place] === row ? place : -1;
  }

  /** Rows that stay as these are now. */
  copy(): Rows {
    const copy = new Rows();
    copy.#byUser = new Map(this.#byUser);
    copy.#shown = this.#shown;
    copy.#counts = { ...this.#counts, statuses: { ...this.#counts.statuses } };
    copy.#search = this.#search;
    copy.#sort = this.#sort;
    copy.#compare = this.#compare;
    return copy;
  }

  /**
   * Replaces all rows by those of a snapshot. None of them counts as changed. A user who was here before
   * keeps the times that are known.
   */
  reset(snapshot: PresenceSnapshot, context: RowContext): void {
    const before = this.#byUser;
    this.#byUser = new Map();
    this.#counts = zeroCounts();
    for (const [userId, value] of snapshot) this.#add(firstRow(userId, value, context, before.get(userId)));
    this.#collect();
  }

  apply(snapshot: PresenceSnapshot, { entered, updated, left }: PresenceChange, context: RowContext): void {
    const gone = new Set<Row>();
    const fresh: Row[] = [];
    for (const { userId } of left) this.#remove(userId, gone);
    for (const userIds of [entered, updated]) {
      for (const userId of userIds) {
        const value = snapshot.get(userId);
        const before = this.#remove(userId, gone);
        if (value === undefined) continue;
        const row = changedRow(userId, value, context, before);
        this.#add(row);
        if (matchesSearch(row, this.#search)) fresh.push(row);
      }
    }
    const kept = gone.size === 0 ? this.#shown : this.#shown.filter((row) => !gone.has(row));
    this.#shown = insertSorted(kept, fresh, this.#compare);
  }

  arrange(search: string, sort: Sort): void {
    const lower = search.trim().toLowerCase();
    const { key, isDescending } = this.#sort;
    if (lower === this.#search && sort.key === key && sort.isDescending === isDescending) return;
    this.#search = lower;
    this.#sort = sort;
    this.#compare = compareBy(sort);
    this.#collect();
  }

  #collect(): void {
    const rows = [...this.#byUser.values()];
    const found = this.#search === "" ? rows : rows.filter((row) => matchesSearch(row, this.#search));
    this.#shown = found.sort(this.#compare);
  }

  #add(row: Row): void {
    this.#byUser.set(row.userId, row);
    countRow(this.#counts, row, 1);
  }

  #remove(userId: string, gone: Set<Row>): Row | undefined {
    const row = this.#byUser.get(userId);
    if (row === undefined) return undefined;
    this.#byUser.delete(userId);
    countRow(this.#counts, row, -1);
    gone.add(row);
    return row;
  }
}
