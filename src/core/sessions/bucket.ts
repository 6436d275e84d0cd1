import { append } from "../collections/append.ts";
import { type Session, SHAPES, type Shape } from "./session.ts";
import type { SessionRow } from "./session-row.ts";

/** Which of a session's two places a bucket is: each session is in the bucket of all and in one of a conversation. */
export type Place = "placeInAll" | "placeInConversation";

/**
 * A set of sessions, parted by shape, so that the ones that a filter matches are walked without touching any other.
 * Each session knows its place, so adding and removing cost the same at any size.
 */
export class Bucket {
  /** The number of the table's last change that touched it. */
  changedAt = 0;
  /** Just a list while all have one shape, as in most conversations: there are as many buckets as conversations. */
  #sessions: SessionRow[] | Parted = [];

  get size(): number {
    if (!(this.#sessions instanceof Parted)) return this.#sessions.length;
    let size = 0;
    for (let shape = 0; shape < SHAPES; shape++) size += this.count(shape);
    return size;
  }

  count(shape: Shape): number {
    return this.#list(shape)?.length ?? 0;
  }

  /** How many sessions have a shape that is in the set `shapes` (bit 1 << shape). */
  countIn(shapes: number): number {
    let count = 0;
    for (let shape = 0; shape < SHAPES; shape++)
      if ((shapes & (1 << shape)) !== 0) count += this.count(shape);
    return count;
  }

  add(session: SessionRow, place: Place): void {
    const { shape } = session;
    setPlace(session, place, this.count(shape));
    let sessions = this.#sessions;
    if (!(sessions instanceof Parted)) {
      if (sessions.length === 0 || sessions[0]!.shape === shape) {
        this.#sessions = append(sessions, session);
        return;
      }
      sessions = new Parted(sessions);
      this.#sessions = sessions;
    }
    sessions.lists[shape] = append(sessions.lists[shape] ?? [], session);
  }

  /** Takes out a session that is in it; `shape` is the one that it had when it came in. */
  remove(session: SessionRow, place: Place, shape: Shape): void {
    const list = this.#sessions instanceof Parted ? this.#sessions.lists[shape]! : this.#sessions;
    const last = list.pop()!;
    if (last === session) return;
    const index = placeOf(session, place);
    list[index] = last;
    setPlace(last, place, index);
  }

  /** Calls back for each session whose shape is in the set `shapes` (bit 1 << shape). */
  forEach(shapes: number, visit: (session: Session) => void): void {
    for (let shape = 0; shape < SHAPES; shape++) {
      if ((shapes & (1 << shape)) === 0) continue;
      const list = this.#list(shape);
      if (list !== undefined) for (let i = 0; i < list.length; i++) visit(list[i]!);
    }
  }

  /** The sessions whose shape is in the set, as they are now. Copied whole: a bucket may be large. */
  list(shapes: number): Session[] {
    const lists: SessionRow[][] = [];
    for (let shape = 0; shape < SHAPES; shape++) {
      const list = (shapes & (1 << shape)) === 0 ? undefined : this.#list(shape);
      if (list !== undefined) lists.push(list);
    }
    return lists.length === 1 ? lists[0]!.slice() : lists.flat();
  }

  #list(shape: Shape): SessionRow[] | undefined {
    if (this.#sessions instanceof Parted) return this.#sessions.lists[shape];
    return this.#sessions[0]?.shape === shape ? this.#sessions : undefined;
  }
}

/** The sessions of a bucket by shape, since there were two shapes. */
class Parted {
  readonly lists = new Array<SessionRow[] | undefined>(SHAPES);

  /** `alike`: at least one session, all of one shape. */
  constructor(alike: SessionRow[]) {
    this.lists[alike[0]!.shape] = alike;
  }
}

// By name, for V8: both are for each change of a session.

function placeOf(session: SessionRow, place: Place): number {
  return place === "placeInAll" ? session.placeInAll : session.placeInConversation;
}

function setPlace(session: SessionRow, place: Place, index: number): void {
  if (place === "placeInAll") session.placeInAll = index;
  else session.placeInConversation = index;
}
