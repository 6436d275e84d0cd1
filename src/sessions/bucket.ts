import { append } from "../shared/append.ts";
import { type Session, SHAPES, type Shape } from "./session.ts";

/** Which of a session's two places a bucket is: each session is in the bucket of all and in one of a conversation. */
export type Place = "placeInAll" | "placeInConversation";

/**
 * A set of sessions, parted by shape, so that the ones that a filter matches are walked without touching any other.
 * Each session knows its place, so adding and removing cost the same at any size.
 */
export class Bucket<Holder> {
  /** The number of the table's last change that touched it. */
  changedAt = 0;
  /** All of them while they have one shape, as in most conversations: there are as many buckets as conversations. */
  #only: Session<Holder>[] | undefined = [];
  /** The lists by shape, since there were two shapes. */
  #lists: (Session<Holder>[] | undefined)[] | undefined;

  get size(): number {
    if (this.#only !== undefined) return this.#only.length;
    let size = 0;
    for (let shape = 0; shape < SHAPES; shape++) size += this.count(shape);
    return size;
  }

  count(shape: Shape): number {
    return this.#list(shape)?.length ?? 0;
  }

  add(session: Session<Holder>, place: Place): void {
    const { shape } = session;
    setPlace(session, place, this.count(shape));
    const only = this.#only;
    if (only !== undefined && (only.length === 0 || only[0]!.shape === shape)) {
      this.#only = append(only, session);
    } else {
      const lists = this.#parted();
      lists[shape] = append(lists[shape] ?? [], session);
    }
  }

  /** Takes out a session that is in it; `shape` is the one that it had when it came in. */
  remove(session: Session<Holder>, place: Place, shape: Shape): void {
    const list = this.#only ?? this.#lists![shape]!;
    const last = list.pop()!;
    if (last === session) return;
    const index = session[place];
    list[index] = last;
    setPlace(last, place, index);
  }

  /** Calls back for each session whose shape is in the set `shapes` (bit 1 << shape). */
  forEach(shapes: number, visit: (session: Session<Holder>) => void): void {
    for (let shape = 0; shape < SHAPES; shape++) {
      if ((shapes & (1 << shape)) === 0) continue;
      const list = this.#list(shape);
      if (list !== undefined) for (let i = 0; i < list.length; i++) visit(list[i]!);
    }
  }

  /** The sessions whose shape is in the set, as they are now. */
  list(shapes: number): Session<Holder>[] {
    const listed: Session<Holder>[] = [];
    this.forEach(shapes, (session) => {
      listed.push(session);
    });
    return listed;
  }

  #list(shape: Shape): Session<Holder>[] | undefined {
    if (this.#only === undefined) return this.#lists![shape];
    return this.#only[0]?.shape === shape ? this.#only : undefined;
  }

  #parted(): (Session<Holder>[] | undefined)[] {
    if (this.#lists === undefined) {
      this.#lists = new Array<Session<Holder>[] | undefined>(SHAPES);
      this.#lists[this.#only![0]!.shape] = this.#only;
      this.#only = undefined;
    }
    return this.#lists;
  }
}

/** By name, for V8: there is one for each change of a session. */
function setPlace(session: Session<unknown>, place: Place, index: number): void {
  if (place === "placeInAll") session.placeInAll = index;
  else session.placeInConversation = index;
}
