import { MAX_SERVER_MESSAGE_BYTES } from "../../protocol/rules.ts";
import type { Frame } from "./frame.ts";
import type { PageSender, PageTurns } from "./page-turns.ts";
import type { PendingWriter, PendingWrites } from "./pending-writes.ts";
import { writeCostMs } from "./turn-budget.ts";

/** Where a send queue puts its frames: a WebSocket, or the body of an event stream. */
export interface Sink {
  /** Sends a frame. False: bytes may wait in this process. */
  send(frame: Frame): boolean;
  /**
   * Sends frames in one write, as far as the library can. Returns what `send` does. Undefined: `send` does
   * that by itself.
   */
  sendTogether?(frames: readonly Frame[]): boolean;
  readonly buffered: number;
  readonly progress: number;
}

/** What a send queue tells its owner. */
export interface SendQueueOwner {
  /** Bytes now wait. */
  onBacklog(): void;
  /** A long answer could not be produced, or frames are lost, so the reader cannot be served any more. */
  onFailure(error: unknown): void;
}

/** A long answer, sent one page at a time as the reader takes it. */
export interface PagedResponse {
  /**
   * Sends the next page, or works on it. `done`: that was the last one, or the answer is no longer needed.
   * `waiting`: there is nothing to do until `SendQueue.wake` is called.
   */
  step(): "more" | "waiting" | "done";
}

/** Send queues that share a limit on waiting bytes: those of the sockets of one user. */
export interface SendQueueParty {
  /** How many of the queues have bytes waiting. */
  backlogged: number;
}

/**
 * This many sockets of a user may each have `maxBytes` waiting. If more have bytes waiting, they share that
 * total.
 */
const FULL_BACKLOGS = 8;
/**
 * A frame up to this many bytes is sent if nothing else waits, even if `maxBytes` is lower. No more bytes
 * wait for the end of the turn.
 */
const LARGEST_PIECE = 64 * 1024;
/** The share of `maxBytes` that may be used by frames that can be left out. */
const OFFERED = 0.75;
/** Pages are sent while no more than this many bytes wait. */
const REFILL_BYTES = 64 * 1024;
/**
 * The longest page. A page is longer than 64 KiB only if the entry of one user is, and the limits of a user
 * keep that below this.
 */
const LONGEST_PAGE_BYTES = 256 * 1024;

/**
 * Sends everything for one reader, in order and bounded. Frames wait for the end of the turn of the event
 * loop, and then leave in one write. `offer` and pages keep what waits within `maxBytes`. `send` always
 * accepts: its caller asks `isFull` first, so one frame may come on top. A frame up to 64 KiB or a page may
 * go out alone, even if `maxBytes` is lower. Long answers wait outside, as a position in a list, and are cut
 * into pages only as fast as the reader takes them.
 */
export class SendQueue implements PageSender, PendingWriter {
  readonly #sink: Sink;
  readonly #maxBytes: number;
  /**
   * Pages are sent while no more than this many bytes wait, so a page and the waiting bytes stay within
   * `maxBytes`.
   */
  readonly #refillBytes: number;
  readonly #owner: SendQueueOwner;
  readonly #turns: PageTurns;
  readonly #writes: PendingWrites | undefined;
  /** What waits for the end of the turn: nearly always one frame. */
  #pending: Frame | Frame[] | undefined;
  #pendingBytes = 0;
  /** The caller has promised to call `write` in this turn. */
  #isWriteExpected = false;
  #responses: PagedResponse[] | undefined;
  #isResponseWaiting = false;
  /** A page is being sent. Callbacks from it must not send another page in between. */
  #isSending = false;
  #onDrained: Set<() => void> | undefined;
  #party: SendQueueParty = { backlogged: 0 };
  #isBacklogged = false;
  #closed = false;

  /** `writes`: undefined if each frame is written at once. */
  constructor(
    sink: Sink,
    maxBytes: number,
    owner: SendQueueOwner,
    turns: PageTurns,
    writes?: PendingWrites | undefined,
  ) {
    this.#sink = sink;
    this.#maxBytes = maxBytes;
    this.#refillBytes = Math.max(0, Math.min(REFILL_BYTES, maxBytes - LONGEST_PAGE_BYTES));
    this.#owner = owner;
    this.#turns = turns;
    this.#writes = writes;
  }

  /** The party whose turns the pages use, and that shares the limit on waiting bytes. */
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
   * Sends a frame, or returns false if too much would wait with it. The last part of what may wait is
   * reserved for answers, so that a reader whose diffs were left out can still send requests and be answered.
   */
  offer(frame: Frame): boolean {
    const { byteLength } = frame;
    if (this.#closed || byteLength > MAX_SERVER_MESSAGE_BYTES) return false;
    // The reader may take at once what waits for the end of the turn.
    if (this.#pending !== undefined && !this.#fits(byteLength)) this.write();
    if (this.#closed || !this.#fits(byteLength)) return false;
    this.send(frame);
    return true;
  }

  #fits(byteLength: number): boolean {
    const waits = this.#sink.buffered + this.#pendingBytes;
    return waits === 0
      ? byteLength <= Math.max(this.#allowedBytes, LARGEST_PIECE)
      : waits + byteLength <= OFFERED * this.#allowedBytes;
  }

  /** Whether more bytes wait than are allowed. */
  get isFull(): boolean {
    return this.#closed || this.#sink.buffered > this.#allowedBytes;
  }

  /**
   * Sends a frame, however much waits. The caller asks `isFull` first, or sends a page in its turn.
   *
   * @throws RangeError for a frame that is longer than the protocol allows: a defect, as the limits of a user
   * rule it out.
   */
  send(frame: Frame): void {
    if (this.#closed) return;
    // A UTF-16 unit has at most three bytes, so nearly all frames need no counting.
    if (3 * frame.text.length > MAX_SERVER_MESSAGE_BYTES && frame.byteLength > MAX_SERVER_MESSAGE_BYTES) {
      throw new RangeError(`a frame of ${frame.byteLength} bytes is longer than the protocol allows`);
    }
    if (this.#writes === undefined) return this.#put(frame);
    const { byteLength } = frame;
    const pending = this.#pending;
    if (pending === undefined) {
      this.#pending = frame;
      if (!this.#isWriteExpected) this.#writes.add(this);
    } else if (Array.isArray(pending)) pending.push(frame);
    else this.#pending = [pending, frame];
    this.#pendingBytes += byteLength;
    if (this.#pendingBytes > Math.min(LARGEST_PIECE, this.#allowedBytes - this.#sink.buffered)) this.write();
  }

  /** The caller will call `write` in this turn, so frames need not wait for its end. */
  expectWrite(): void {
    this.#isWriteExpected = true;
  }

  /**
   * Writes the frames that wait for the end of the turn. Returns the estimated cost in milliseconds. If that
   * fails, the owner is told, and not the caller: it may be serving somebody else.
   */
  write(): number {
    this.#isWriteExpected = false;
    const pending = this.#pending;
    if (pending === undefined) return 0;
    const costMs = writeCostMs(this.#pendingBytes);
    this.#pending = undefined;
    this.#pendingBytes = 0;
    this.#put(pending);
    return costMs;
  }

  #put(frames: Frame | Frame[]): void {
    let areTaken: boolean;
    try {
      areTaken = Array.isArray(frames) ? this.#sendAll(frames) : this.#sink.send(frames);
    } catch (error) {
      return this.onFailure(error);
    }
    if (areTaken) return;
    this.markBacklogged();
    this.#owner.onBacklog();
  }

  #sendAll(frames: readonly Frame[]): boolean {
    if (this.#sink.sendTogether !== undefined) return this.#sink.sendTogether(frames);
    let areTaken = true;
    for (const frame of frames) areTaken = this.#sink.send(frame);
    return areTaken;
  }

  /** Bytes now wait for the reader. */
  markBacklogged(): void {
    if (this.#isBacklogged || this.#closed) return;
    this.#isBacklogged = true;
    this.#party.backlogged++;
  }

  /** How many long answers are being sent or wait to be sent. */
  get pagedResponses(): number {
    return this.#responses?.length ?? 0;
  }

  /** Queues a long answer behind the earlier ones. */
  start(response: PagedResponse): void {
    if (this.#closed) return;
    this.#responses ??= [];
    this.#responses.push(response);
    this.#turns.start(this);
  }

  /** Continues a long answer whose `step` returned `waiting`. */
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
    // The response may have closed this send queue.
    if (outcome !== "done" || this.#closed) return;
    responses.shift();
    if (responses.length === 0) this.#responses = undefined;
  }

  onFailure(error: unknown): void {
    // If the owner keeps this send queue open, the failed answer must not fail again and again.
    this.#responses = undefined;
    this.#owner.onFailure(error);
  }

  /** Calls back once, when no bytes wait. */
  whenDrained(callback: () => void): void {
    this.#onDrained ??= new Set();
    this.#onDrained.add(callback);
    if (this.#sink.buffered === 0) this.drained();
  }

  /** Called when no bytes wait any more. */
  drained(): void {
    this.#unmarkBacklogged();
    if (this.#closed) return;
    const callbacks = this.#onDrained;
    this.#onDrained = undefined;
    for (const callback of callbacks ?? []) callback();
    if (this.canSendPage) this.#turns.start(this);
  }

  /** Writes what waits for the end of the turn. Nothing is sent any more. */
  close(): void {
    this.write();
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
   * The bytes that may wait for this reader. So the sockets of one user cannot fill the memory by their
   * number.
   */
  get #allowedBytes(): number {
    const { backlogged } = this.#party;
    if (backlogged <= FULL_BACKLOGS) return this.#maxBytes;
    const share = (FULL_BACKLOGS * this.#maxBytes) / backlogged;
    return Math.max(share, Math.min(LARGEST_PIECE, this.#maxBytes));
  }
}
