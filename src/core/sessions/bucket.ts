import { append } from "../collections/append.ts";
import { FLAG_VALUES, type FlagBits, type Session } from "./session.ts";
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
 * A set of sessions, sharded by flag bits, so that iterating over the sessions that match a filter touches
 * no others. Each session stores its index, so adding and removing take constant time.
 */
export class Bucket {
  /** The table's change counter when the bucket last changed. */
  changedAt = 0;
  /**
   * A plain list while all sessions have the same flag bits, as in most conversations. It takes less
   * memory, and there is a bucket for each conversation.
   */
  #sessions: SessionRow[] | ShardedBucket = [];

  get size(): number {
    if (!(this.#sessions instanceof ShardedBucket)) return this.#sessions.length;
    let size = 0;
    for (let flagBits = 0; flagBits < FLAG_VALUES; flagBits++) size += this.count(flagBits);
    return size;
  }

  count(flagBits: FlagBits): number {
    return this.#list(flagBits)?.length ?? 0;
  }

  /** How many sessions have flag bits in `flagSet` (bit `1 << flagBits`). */
  countIn(flagSet: number): number {
    let count = 0;
    for (let flagBits = 0; flagBits < FLAG_VALUES; flagBits++)
      if ((flagSet & (1 << flagBits)) !== 0) count += this.count(flagBits);
    return count;
  }

  add(session: SessionRow, slot: BucketSlot): void {
    const { flagBits } = session;
    setSlot(session, slot, this.count(flagBits));
    let sessions = this.#sessions;
    if (!(sessions instanceof ShardedBucket)) {
      if (sessions.length === 0 || sessions[0]!.flagBits === flagBits) {
        this.#sessions = append(sessions, session);
        return;
      }
      sessions = new ShardedBucket(sessions);
      this.#sessions = sessions;
    }
    sessions.lists[flagBits] = append(sessions.lists[flagBits] ?? [], session);
  }

  /** Removes a session. `flagBits`: its flag bits when it was added. */
  remove(session: SessionRow, slot: BucketSlot, flagBits: FlagBits): void {
    const list = this.#sessions instanceof ShardedBucket ? this.#sessions.lists[flagBits]! : this.#sessions;
    const last = list.pop()!;
    if (last === session) return;
    const index = slotOf(session, slot);
    list[index] = last;
    setSlot(last, slot, index);
  }

  /** Calls back for each session whose flag bits are in `flagSet` (bit `1 << flagBits`). */
  forEach(flagSet: number, visit: (session: Session) => void): void {
    for (let flagBits = 0; flagBits < FLAG_VALUES; flagBits++) {
      if ((flagSet & (1 << flagBits)) === 0) continue;
      const list = this.#list(flagBits);
      if (list !== undefined) for (let i = 0; i < list.length; i++) visit(list[i]!);
    }
  }

  /**
   * A copy of the sessions whose flag bits are in `flagSet`. Whole lists are copied at once, which is
   * fast for a large bucket.
   */
  list(flagSet: number): Session[] {
    const lists: SessionRow[][] = [];
    for (let flagBits = 0; flagBits < FLAG_VALUES; flagBits++) {
      const list = (flagSet & (1 << flagBits)) === 0 ? undefined : this.#list(flagBits);
      if (list !== undefined) lists.push(list);
    }
    return lists.length === 1 ? lists[0]!.slice() : lists.flat();
  }

  #list(flagBits: FlagBits): SessionRow[] | undefined {
    if (this.#sessions instanceof ShardedBucket) return this.#sessions.lists[flagBits];
    return this.#sessions[0]?.flagBits === flagBits ? this.#sessions : undefined;
  }
}

/** The sessions of a bucket by flag bits, once these differ. */
class ShardedBucket {
  readonly lists = new Array<SessionRow[] | undefined>(FLAG_VALUES);

  /** `alike`: at least one session, all with the same flag bits. */
  constructor(alike: SessionRow[]) {
    this.lists[alike[0]!.flagBits] = alike;
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
