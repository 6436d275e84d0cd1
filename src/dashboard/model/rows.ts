import type { PresenceChange, PresenceSnapshot } from "../../client/types.ts";
import { type Counts, count, noCounts } from "./counts.ts";
import { DEFAULT_SORT, type Sort } from "./dashboard-state.ts";
import { makeRow, matchesSearch, type Row } from "./row.ts";
import { type Compare, compareBy, insertSorted, placeOf } from "./row-order.ts";

/**
 * The table's rows: everyone in the snapshot, and of them those that the search finds, sorted. A change puts only the
 * rows that it touches in their new places.
 */
export class Rows {
  #byUser = new Map<string, Row>();
  #shown: readonly Row[] = [];
  #counts: Counts = noCounts();
  #search = "";
  #sort: Sort = DEFAULT_SORT;
  #compare: Compare = compareBy(DEFAULT_SORT);

  /** In their order. Another array after each change. */
  get shown(): readonly Row[] {
    return this.#shown;
  }

  get counts(): Readonly<Counts> {
    return this.#counts;
  }

  get(userId: string): Row | undefined {
    return this.#byUser.get(userId);
  }

  /** The place of a user among those shown, or -1. */
  indexOf(userId: string): number {
    const row = this.#byUser.get(userId);
    if (row === undefined) return -1;
    const place = placeOf(this.#shown, row, this.#compare);
    return this.#shown[place] === row ? place : -1;
  }

  /** Begins anew with a snapshot: nobody in it has just changed. */
  reset(snapshot: PresenceSnapshot): void {
    this.#byUser = new Map();
    this.#counts = noCounts();
    for (const [userId, value] of snapshot) this.#add(makeRow(userId, value, 0));
    this.#collect();
  }

  apply(snapshot: PresenceSnapshot, { entered, updated, left }: PresenceChange, now: number): void {
    const gone = new Set<Row>();
    const fresh: Row[] = [];
    for (const { userId } of left) this.#remove(userId, gone);
    for (const userIds of [entered, updated]) {
      for (const userId of userIds) {
        const value = snapshot.get(userId);
        const before = this.#remove(userId, gone);
        if (value === undefined) continue;
        const row = makeRow(userId, value, now, before);
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
    count(this.#counts, row, 1);
  }

  #remove(userId: string, gone: Set<Row>): Row | undefined {
    const row = this.#byUser.get(userId);
    if (row === undefined) return undefined;
    this.#byUser.delete(userId);
    count(this.#counts, row, -1);
    gone.add(row);
    return row;
  }
}
