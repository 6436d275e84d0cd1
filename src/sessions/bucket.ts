import { append } from "../shared/append.ts";
import { type Session, SHAPES, type Shape } from "./session.ts";

/** Which of a session's two places a bucket writes: each session is in the bucket of all and in one of a conversation. */
export type Lane = "placeInAll" | "placeInConversation";

/**
 * A set of sessions, parted by shape, so that the ones that a filter matches are walked without touching any other.
 * Each session knows its place, so adding and removing cost the same at any size.
 */
export class Bucket<Holder> {
  readonly #inAll: boolean;
  /** All of them while they have one shape, as in most conversations: there are as many buckets as conversations. */
  #only: Session<Holder>[] | undefined = [];
  /** The lists by shape, since there were two shapes. */
  #lists: (Session<Holder>[] | undefined)[] | undefined;

  constructor(lane: Lane) {
    this.#inAll = lane === "placeInAll";
  }

  get size(): number {
    if (this.#only !== undefined) return this.#only.length;
    let size = 0;
    for (let shape = 0; shape < SHAPES; shape++) size += this.count(shape);
    return size;
  }

  count(shape: Shape): number {
    return this.#list(shape)?.length ?? 0;
  }

  add(session: Session<Holder>): void {
    const { shape } = session;
    this.#setPlace(session, this.count(shape));
    const only = this.#only;
    if (only !== undefined && (only.length === 0 || only[0]!.shape === shape)) {
      this.#only = append(only, session);
    } else {
      const lists = this.#parted();
      lists[shape] = append(lists[shape] ?? [], session);
    }
  }

  /** Takes out a session that is in it; `shape` is the one that it had when it came in. */
  remove(session: Session<Holder>, shape: Shape): void {
    const list = this.#only ?? this.#lists![shape]!;
    const last = list.pop()!;
    if (last === session) return;
    const place = this.#inAll ? session.placeInAll : session.placeInConversation;
    list[place] = last;
    this.#setPlace(last, place);
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

  #setPlace(session: Session<Holder>, place: number): void {
    if (this.#inAll) session.placeInAll = place;
    else session.placeInConversation = place;
  }
}
