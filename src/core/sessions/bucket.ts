import { append } from "../collections/append.ts";
import { type Session, STATUS_VALUES, type StatusBits } from "./session.ts";
import type { SessionRow } from "./session-row.ts";

/**
 * The field of a session that holds its index in a bucket. Each session is in two buckets: that of all
 * sessions, and that of its conversation.
 */
export type BucketSlot = "slotInAll" | "slotInConversation";

/** A bucket that can only be read. */
export type ReadonlyBucket = Readonly<
  Pick<Bucket, "changedAt" | "size" | "count" | "countIn" | "forEach" | "list">
>;

/**
 * A set of sessions, sharded by status bits, so that iterating over the sessions that match a filter touches
 * no others. Each session stores its index, so adding and removing take constant time.
 */
export class Bucket {
  /** The table's change counter when the bucket last changed. */
  changedAt = 0;
  /**
   * A plain list while all sessions have the same status bits, as in most conversations. It takes less
   * memory, and there is a bucket for each conversation.
   */
  #sessions: SessionRow[] | ShardedBucket = [];

  get size(): number {
    if (!(this.#sessions instanceof ShardedBucket)) return this.#sessions.length;
    let size = 0;
    for (let statusBits = 0; statusBits < STATUS_VALUES; statusBits++) size += this.count(statusBits);
    return size;
  }

  count(statusBits: StatusBits): number {
    return this.#list(statusBits)?.length ?? 0;
  }

  /** How many sessions have status bits in `statusSet` (bit `1 << statusBits`). */
  countIn(statusSet: number): number {
    let count = 0;
    for (let statusBits = 0; statusBits < STATUS_VALUES; statusBits++)
      if ((statusSet & (1 << statusBits)) !== 0) count += this.count(statusBits);
    return count;
  }

  add(session: SessionRow, slot: BucketSlot): void {
    const { statusBits } = session;
    setSlot(session, slot, this.count(statusBits));
    let sessions = this.#sessions;
    if (!(sessions instanceof ShardedBucket)) {
      if (sessions.length === 0 || sessions[0]!.statusBits === statusBits) {
        this.#sessions = append(sessions, session);
        return;
      }
      sessions = new ShardedBucket(sessions);
      this.#sessions = sessions;
    }
    sessions.lists[statusBits] = append(sessions.lists[statusBits] ?? [], session);
  }

  /** Removes a session. `statusBits`: its status bits when it was added. */
  remove(session: SessionRow, slot: BucketSlot, statusBits: StatusBits): void {
    const list = this.#sessions instanceof ShardedBucket ? this.#sessions.lists[statusBits]! : this.#sessions;
    const last = list.pop()!;
    if (last === session) return;
    const index = slotOf(session, slot);
    list[index] = last;
    setSlot(last, slot, index);
  }

  /** Calls back for each session whose status bits are in `statusSet` (bit `1 << statusBits`). */
  forEach(statusSet: number, visit: (session: Session) => void): void {
    for (let statusBits = 0; statusBits < STATUS_VALUES; statusBits++) {
      if ((statusSet & (1 << statusBits)) === 0) continue;
      const list = this.#list(statusBits);
      if (list !== undefined) for (let i = 0; i < list.length; i++) visit(list[i]!);
    }
  }

  /**
   * A copy of the sessions whose status bits are in `statusSet`. Whole lists are copied at once, which is
   * fast for a large bucket.
   */
  list(statusSet: number): Session[] {
    const lists: SessionRow[][] = [];
    for (let statusBits = 0; statusBits < STATUS_VALUES; statusBits++) {
      const list = (statusSet & (1 << statusBits)) === 0 ? undefined : this.#list(statusBits);
      if (list !== undefined) lists.push(list);
    }
    return lists.length === 1 ? lists[0]!.slice() : lists.flat();
  }

  #list(statusBits: StatusBits): SessionRow[] | undefined {
    if (this.#sessions instanceof ShardedBucket) return this.#sessions.lists[statusBits];
    return this.#sessions[0]?.statusBits === statusBits ? this.#sessions : undefined;
  }
}

/** The sessions of a bucket by status bits, once these differ. */
class ShardedBucket {
  readonly lists = new Array<SessionRow[] | undefined>(STATUS_VALUES);

  /** `alike`: at least one session, all with the same status bits. */
  constructor(alike: SessionRow[]) {
    this.lists[alike[0]!.statusBits] = alike;
  }
}

// Explicit field names instead of `session[slot]`: V8 compiles them better, and both run at each change of a
// session.

function slotOf(session: SessionRow, slot: BucketSlot): number {
  return slot === "slotInAll" ? session.slotInAll : session.slotInConversation;
}

function setSlot(session: SessionRow, slot: BucketSlot, index: number): void {
  if (slot === "slotInAll") session.slotInAll = index;
  else session.slotInConversation = index;
}
