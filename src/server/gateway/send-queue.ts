import { MAX_SERVER_MESSAGE_BYTES } from "../../protocol/rules.ts";
import type { Frame } from "./frame.ts";
import type { PageSender, PageTurns } from "./page-turns.ts";

/** Where an send queue puts its frames: a WebSocket or a stream of server-sent events. */
export interface Sink {
  /** False: bytes may wait in this process. */
  send(frame: Frame): boolean;
  readonly buffered: number;
  readonly progress: number;
}

/** What an send queue tells its owner. */
export interface SendQueueOwner {
  /** Bytes have begun to wait. */
  onBacklog(): void;
  /** A long answer could not be made: the reader cannot be served any more. */
  onFailure(error: unknown): void;
}

/** Something long, sent a page at a time as the reader takes it. */
export interface PagedResponse {
  /**
   * Sends the next page, if it is there, or works towards it. `done`: that was the last, or there is no need
   * to go on. `waiting`: there is nothing to do until `SendQueue.wake` is called.
   */
  step(): "more" | "waiting" | "done";
}

/** Those who share a bound on what waits for them: the sockets of one user. */
export interface SendQueueParty {
  /** How many of them have bytes waiting. */
  backlogged: number;
}

/** So many sockets of a user may have `maxBytes` waiting. Where more have, they share what that comes to. */
const FULL_BACKLOGS = 8;
/** A frame of a page's size is sent even where `maxBytes` is set lower than that, if nothing else waits. */
const LARGEST_PIECE = 64 * 1024;
/** The part of `maxBytes` that may be taken by what can be left out. */
const OFFERED = 0.75;
/** Pages are sent while no more than this waits. */
const REFILL_BYTES = 64 * 1024;
/**
 * A page is longer than 64 KiB where the entry of one user is; by the limits of a user it is shorter than
 * this.
 */
const LONGEST_PAGE_BYTES = 256 * 1024;

/**
 * Everything that goes to one reader, in order and bounded: while more than `maxBytes` wait, nothing more is
 * accepted; long answers wait outside, as a place in a list, and are cut into pages only as fast as the
 * reader takes them.
 */
export class SendQueue implements PageSender {
  readonly #sink: Sink;
  readonly #maxBytes: number;
  /** Pages are sent while no more than this waits: what waits stays within `maxBytes` with the page. */
  readonly #refillBytes: number;
  readonly #owner: SendQueueOwner;
  readonly #turns: PageTurns;
  #responses: PagedResponse[] | undefined;
  #isResponseWaiting = false;
  /** A page is being sent: what that calls back must not send another one amid it. */
  #isSending = false;
  #onDrained: Set<() => void> | undefined;
  #party: SendQueueParty = { backlogged: 0 };
  #isBacklogged = false;
  #closed = false;

  constructor(sink: Sink, maxBytes: number, owner: SendQueueOwner, turns: PageTurns) {
    this.#sink = sink;
    this.#maxBytes = maxBytes;
    this.#refillBytes = Math.max(0, Math.min(REFILL_BYTES, maxBytes - LONGEST_PAGE_BYTES));
    this.#owner = owner;
    this.#turns = turns;
  }

  /** Whose turns its pages take, and who shares the bound on what waits. */
  get party(): SendQueueParty {
    return this.#party;
  }

  set party(party: SendQueueParty) {
    const isBacklogged = this.#isBacklogged;
    this.#unmarkBacklogged();
    this.#party = party;
    if (isBacklogged) this.markBacklogged();
  }

  get progress(): number {
    return this.#sink.progress;
  }

  get buffered(): number {
    return this.#sink.buffered;
  }

  /**
   * Sends a frame unless too much would wait with it; false if it was not sent. The last part of what may
   * wait is left to answers, so that a reader whose diffs were left out can still ask and be answered.
   */
  offer(frame: Frame): boolean {
    const { byteLength } = frame;
    const waits = this.#sink.buffered;
    const fits =
      waits === 0
        ? byteLength <= Math.max(this.#allowedBytes, LARGEST_PIECE)
        : waits + byteLength <= OFFERED * this.#allowedBytes;
    if (this.#closed || !fits || byteLength > MAX_SERVER_MESSAGE_BYTES) return false;
    this.send(frame);
    return true;
  }

  /** Whether more waits than may. */
  get isFull(): boolean {
    return this.#closed || this.#sink.buffered > this.#allowedBytes;
  }

  /**
   * Sends a frame that the caller made sure is within the bounds.
   *
   * @throws RangeError for a frame that is longer than the protocol allows: a defect, as the limits of a user
   * make it impossible.
   */
  send(frame: Frame): void {
    if (this.#closed) return;
    // A UTF-16 unit has three bytes at most: nearly all frames need no counting.
    if (3 * frame.text.length > MAX_SERVER_MESSAGE_BYTES && frame.byteLength > MAX_SERVER_MESSAGE_BYTES) {
      throw new RangeError(`a frame of ${frame.byteLength} bytes is longer than the protocol allows`);
    }
    if (this.#sink.send(frame)) return;
    this.markBacklogged();
    this.#owner.onBacklog();
  }

  /** Bytes have begun to wait for the reader. Also for a sink that finds out after `send`. */
  markBacklogged(): void {
    if (this.#isBacklogged || this.#closed) return;
    this.#isBacklogged = true;
    this.#party.backlogged++;
  }

  /** How many long answers are under way. */
  get pagedResponses(): number {
    return this.#responses?.length ?? 0;
  }

  /** Starts a long answer, after those that were started before. */
  start(response: PagedResponse): void {
    if (this.#closed) return;
    this.#responses ??= [];
    this.#responses.push(response);
    this.#turns.start(this);
  }

  /** Goes on with a long answer that was waiting. */
  wake(): void {
    this.#isResponseWaiting = false;
    if (this.canSendPage) this.#turns.start(this);
  }

  get canSendPage(): boolean {
    if (this.#responses === undefined || this.#isResponseWaiting || this.#isSending) return false;
    return this.#sink.buffered <= this.#refillBytes;
  }

  sendPage(): void {
    const responses = this.#responses!;
    this.#isSending = true;
    let outcome: ReturnType<PagedResponse["step"]>;
    try {
      outcome = responses[0]!.step();
    } finally {
      this.#isSending = false;
    }
    if (outcome === "waiting") this.#isResponseWaiting = true;
    // The job may have closed the send queue.
    if (outcome !== "done" || this.#closed) return;
    responses.shift();
    if (responses.length === 0) this.#responses = undefined;
  }

  onFailure(error: unknown): void {
    // Should the owner keep this send queue open: the answer that failed would fail again and again.
    this.#responses = undefined;
    this.#owner.onFailure(error);
  }

  /** Calls back once, when the reader has taken all that waits. */
  whenDrained(callback: () => void): void {
    this.#onDrained ??= new Set();
    this.#onDrained.add(callback);
    if (this.#sink.buffered === 0) this.drained();
  }

  /** To be called when nothing waits any more. */
  drained(): void {
    this.#unmarkBacklogged();
    if (this.#closed) return;
    const callbacks = this.#onDrained;
    this.#onDrained = undefined;
    for (const callback of callbacks ?? []) callback();
    if (this.canSendPage) this.#turns.start(this);
  }

  close(): void {
    this.#unmarkBacklogged();
    this.#closed = true;
    this.#responses = undefined;
    this.#onDrained = undefined;
    this.#turns.remove(this);
  }

  #unmarkBacklogged(): void {
    if (!this.#isBacklogged) return;
    this.#isBacklogged = false;
    this.#party.backlogged--;
  }

  /**
   * What may wait for this reader. One user's sockets that do not read cannot fill the memory by their
   * number.
   */
  get #allowedBytes(): number {
    const { backlogged } = this.#party;
    if (backlogged <= FULL_BACKLOGS) return this.#maxBytes;
    const share = (FULL_BACKLOGS * this.#maxBytes) / backlogged;
    return Math.max(share, Math.min(LARGEST_PIECE, this.#maxBytes));
  }
}
