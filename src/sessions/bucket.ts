import { type Session, SHAPES, type Shape } from "./session.ts";

/** Which of a session's two places a bucket writes: each session is in the bucket of all and in one of a conversation. */
export type Lane = "placeInAll" | "placeInConversation";

/**
 * A set of sessions, parted by shape, so that the ones that a filter matches are walked without touching any other.
 * Each session knows its place, so adding and removing cost the same at any size.
 */
export class Bucket<Holder> {
  readonly #inAll: boolean;
  /** Made with a place for each shape: an array that grows by itself takes room for three times as many. */
  readonly #lists = new Array<Session<Holder>[] | undefined>(SHAPES);
  #size = 0;

  constructor(lane: Lane) {
    this.#inAll = lane === "placeInAll";
  }

  get size(): number {
    return this.#size;
  }

  count(shape: Shape): number {
    return this.#lists[shape]?.length ?? 0;
  }

  add(session: Session<Holder>): void {
    const list = this.#lists[session.shape];
    if (list === undefined) this.#lists[session.shape] = [session];
    else list.push(session);
    this.#setPlace(session, (list?.length ?? 1) - 1);
    this.#size++;
  }

  /** Takes out a session that is in it; `shape` is the one that it had when it came in. */
  remove(session: Session<Holder>, shape: Shape): void {
    const list = this.#lists[shape]!;
    const last = list.pop()!;
    if (last !== session) {
      const place = this.#inAll ? session.placeInAll : session.placeInConversation;
      list[place] = last;
      this.#setPlace(last, place);
    }
    this.#size--;
  }

  /** Calls back for each session whose shape is in the set `shapes` (bit 1 << shape). */
  forEach(shapes: number, visit: (session: Session<Holder>) => void): void {
    for (let shape = 0; shape < SHAPES; shape++) {
      if ((shapes & (1 << shape)) === 0) continue;
      const list = this.#lists[shape];
      if (list !== undefined) for (let i = 0; i < list.length; i++) visit(list[i]!);
    }
  }

  /** The sessions whose shape is in the set, as they are now. */
  list(shapes: number): Session<Holder>[] {
    return this.#lists.filter((_, shape) => (shapes & (1 << shape)) !== 0).flatMap((list) => list ?? []);
  }

  #setPlace(session: Session<Holder>, place: number): void {
    if (this.#inAll) session.placeInAll = place;
    else session.placeInConversation = place;
  }
}
