import { append } from "../collections/append.ts";
import { type Session, STATUS_VALUES, type StatusBits } from "./session.ts";
import type { SessionRow } from "./session-row.ts";

/**
 * Which of a session's two places a bucket is: each session is in the bucket of all and in one of a
 * conversation.
 */
export type BucketSlot = "slotInAll" | "slotInConversation";

/** A bucket for everyone but its table. */
export type ReadonlyBucket = Readonly<
  Pick<Bucket, "changedAt" | "size" | "count" | "countIn" | "forEach" | "list">
>;

/**
 * A set of sessions, sharded by status bits, so that the ones that a filter matches are walked without
 * touching any other. Each session knows its place, so adding and removing cost the same at any size.
 */
export class Bucket {
  /** The number of the table's last change that touched it. */
  changedAt = 0;
  /**
   * Just a list while all have the same status bits, as in most conversations: there are as many buckets as
   * conversations.
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

  /** How many sessions have status bits that are in `statusSet` (bit `1 << statusBits`). */
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

  /** Takes out a session that is in it; `statusBits`: those that it had when it came in. */
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

  /** The sessions whose status bits are in the set, as they are now. Copied whole: a bucket may be large. */
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

/** The sessions of a bucket by their status bits, once those differ. */
class ShardedBucket {
  readonly lists = new Array<SessionRow[] | undefined>(STATUS_VALUES);

  /** `alike`: at least one session, all with the same status bits. */
  constructor(alike: SessionRow[]) {
    this.lists[alike[0]!.statusBits] = alike;
  }
}

// By name, for V8: both are for each change of a session.

function slotOf(session: SessionRow, slot: BucketSlot): number {
  return slot === "slotInAll" ? session.slotInAll : session.slotInConversation;
}

function setSlot(session: SessionRow, slot: BucketSlot, index: number): void {
  if (slot === "slotInAll") session.slotInAll = index;
  else session.slotInConversation = index;
}
