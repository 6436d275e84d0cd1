import type { Frame } from "./frame.ts";

/** Where an outbox puts its frames: a WebSocket or a stream of server-sent events. */
export interface Sink {
  /** False: bytes may wait in this process. */
  send(frame: Frame): boolean;
  readonly buffered: number;
  readonly progress: number;
}

/** Who is told that bytes have begun to wait. */
export interface OutboxOwner {
  onBacklog(): void;
}

/** Something long, sent a page at a time as the reader takes it. */
export interface Job {
  /** Sends the next page, if there is one yet. Returns true when that was the last, or when there is no need to go on. */
  step(): boolean;
}

/** A frame of a page's size is sent even where `maxBytes` is set lower than that. */
const LARGEST_PIECE = 64 * 1024;
/** The part of `maxBytes` that may be taken by what can be left out. */
const OFFERED = 0.75;
/** Pages are sent while no more than this waits. */
const REFILL_BYTES = 64 * 1024;
/** And no more than this many at a time: others are served between. */
const PAGES_PER_TURN = 4;

/**
 * Everything that goes to one reader, in order and bounded: while more than `maxBytes` wait, nothing more is accepted;
 * long answers wait outside, as a place in a list, and are cut into pages only as fast as the reader takes them.
 */
export class Outbox {
  readonly #sink: Sink;
  readonly #maxBytes: number;
  readonly #owner: OutboxOwner;
  #jobs: Job[] | undefined;
  #turn: NodeJS.Immediate | undefined;
  #pumping = false;
  #onDrained: Set<() => void> | undefined;
  #closed = false;

  constructor(sink: Sink, maxBytes: number, owner: OutboxOwner) {
    this.#sink = sink;
    this.#maxBytes = maxBytes;
    this.#owner = owner;
  }

  get progress(): number {
    return this.#sink.progress;
  }

  get buffered(): number {
    return this.#sink.buffered;
  }

  /**
   * Sends a frame unless too much would wait with it; false if it was not sent. The last part of what may wait is left
   * to answers, so that a reader whose diffs were left out can still ask and be answered.
   */
  offer(frame: Frame): boolean {
    const { length } = frame.text;
    const waits = this.#sink.buffered;
    const fits =
      waits === 0
        ? length <= Math.max(this.#maxBytes, LARGEST_PIECE)
        : waits + length <= OFFERED * this.#maxBytes;
    if (this.#closed || !fits) return false;
    this.send(frame);
    return true;
  }

  /** Whether more waits than may. */
  get isFull(): boolean {
    return this.#closed || this.#sink.buffered > this.#maxBytes;
  }

  /** Sends a frame that the caller made sure is within the bounds. */
  send(frame: Frame): void {
    if (!this.#closed && !this.#sink.send(frame)) this.#owner.onBacklog();
  }

  /** How many long answers are under way. */
  get jobs(): number {
    return this.#jobs?.length ?? 0;
  }

  /** Starts a long answer, after those that were started before. */
  start(job: Job): void {
    this.#jobs ??= [];
    this.#jobs.push(job);
    this.#pump();
  }

  /** Calls back once, when the reader has taken all that waits. */
  whenDrained(callback: () => void): void {
    this.#onDrained ??= new Set();
    this.#onDrained.add(callback);
    if (this.#sink.buffered === 0) this.drained();
  }

  /** To be called when nothing waits any more. */
  drained(): void {
    if (this.#closed) return;
    const callbacks = this.#onDrained;
    this.#onDrained = undefined;
    for (const callback of callbacks ?? []) callback();
    this.#pump();
  }

  close(): void {
    this.#closed = true;
    this.#jobs = undefined;
    this.#onDrained = undefined;
    clearImmediate(this.#turn);
  }

  #pump(): void {
    const jobs = this.#jobs;
    if (jobs === undefined || this.#pumping || this.#turn !== undefined) return;
    this.#pumping = true;
    for (let pages = 0; jobs.length > 0 && this.#sink.buffered <= REFILL_BYTES && !this.#closed; pages++) {
      if (pages === PAGES_PER_TURN) {
        this.#turn = setImmediate(() => {
          this.#turn = undefined;
          this.#pump();
        });
        break;
      }
      if (jobs[0]!.step()) jobs.shift();
    }
    this.#pumping = false;
    if (jobs.length === 0) this.#jobs = undefined;
  }
}
