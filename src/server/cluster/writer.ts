import type { AppendReply, Command, CommandOf, JoinReply } from "./log.ts";
import { type Batch, MAX_BATCH_OPS, WriteBuffer } from "./write-buffer.ts";

/** At most one batch in this time; with a read in the same time, a node asks Redis for one thing each 5 ms. */
export const BATCH_INTERVAL_MS = 10;
/** Who has to say all that it has, as after Redis was emptied, says it faster. */
const HURRY_INTERVAL_MS = 5;
const HURRY_NOTES = 4 * MAX_BATCH_OPS;
/** While Redis is full, what it refused is tried again so often: it is a sign of life too. */
const FULL_INTERVAL_MS = 500;
/** A sign of life comes at least this often: it also finds out whether the log still knows this node. */
const MAX_BEAT_MS = 2_000;
/** So many batches may be on their way: enough for one each interval over a slow network. */
export const MAX_UNREAD_BATCHES = 64;
/** And so much text: until Redis has read it, it is in its memory. */
const MAX_UNREAD_CHARS = 4 * 1024 * 1024;
const RETRY_MS = 1_000;
/**
 * Who joins again says so long after it what has ended. The log may have been emptied: it does not remember who has ended, so whoever
 * came back later than this would go on showing them, or, being their node, open them again.
 */
const HOLD_ENDS_MS = 2_000;
const MAX_FORMER_NAMES = 16;

export interface WriterOptions {
  readonly nodeId: string;
  readonly leaseMs: number;
  readonly makeId: () => string;
  /** Called when there will be something to write at a time. */
  readonly wakeBy: (due: number) => void;
}

/**
 * The writing half: who this node is in the log, and what it has to say there. It joins under a fresh name, and again when
 * it finds that it is not in the register any more: it was declared dead, or the log has lost what it wrote.
 */
export class Writer {
  readonly buffer = new WriteBuffer();
  readonly #options: WriterOptions;
  readonly #beatMs: number;
  #name: string | undefined;
  /** Under which the batches in `outbound` were written. */
  #lastName: string | undefined;
  /** Names that it has asked to join under, the latest last. */
  #names: string[] = [];
  /** So much of the log has to be read before joining, so that what others did meanwhile is known. */
  joinAfter = 0;
  /** Redis is out of memory. */
  isFull = false;
  #isAsked = false;
  #notBefore = Number.NEGATIVE_INFINITY;
  #isLinked = false;
  #again: Batch[] = [];
  #wroteAt = Number.NEGATIVE_INFINITY;
  #endsFrom = Number.NEGATIVE_INFINITY;
  #isLeaving = false;
  #hasLeft = false;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#beatMs = Math.min(options.leaseMs / 3, MAX_BEAT_MS);
  }

  /** Who this node is in the log; undefined while it is not in the register. */
  get name(): string | undefined {
    return this.#name;
  }

  get hasLeft(): boolean {
    return this.#hasLeft;
  }

  /** Whether batches of that name are among those that were not read back. */
  hasWrittenAs(name: string): boolean {
    return name === this.#lastName;
  }

  /** Whether this node goes by that name, or did, or is about to. */
  wasWriter(name: string): boolean {
    return this.#names.includes(name);
  }

  linked(): void {
    this.#isLinked = true;
    this.#isAsked = false;
    // What was done may not have been told, and what was sent may not have been done.
    this.#again = [...this.buffer.batchesToResend()];
  }

  unlinked(): void {
    this.#isLinked = false;
  }

  /** To be called after a note was taken. */
  wake(): void {
    if (this.#isLinked && this.#name !== undefined) {
      this.#options.wakeBy(this.#mayWriteAt);
    }
  }

  /** This node goes: what it has to say is said, then its sessions are left to the others. */
  leave(): void {
    this.#isLeaving = true;
    if (this.#name === undefined) this.#hasLeft = true;
  }

  /** `mayJoin`: as much of the log has been read as is needed to join. */
  step(commands: Command[], mayJoin: boolean, now: number, failed?: (error: unknown) => void): void {
    if (!this.#isLinked) return;
    if (this.#name !== undefined) return this.#write(this.#name, commands, now, failed);
    if (!mayJoin || this.#isAsked || this.#isLeaving || now < this.#notBefore) return;
    this.#isAsked = true;
    const { makeId, leaseMs, nodeId } = this.#options;
    const writer = makeId();
    // Whether an earlier attempt was done may not have been told.
    const formerly = this.#names.slice(-MAX_FORMER_NAMES);
    this.#names = [...formerly, writer];
    commands.push({ do: "join", writer, leaseMs, nodeId, formerly });
  }

  joined(writer: string, reply: JoinReply, now: number): void {
    this.#isAsked = false;
    if (reply.ok) {
      this.buffer.restart();
      // They were written under another name, and are noted anew.
      this.#again = [];
      if (this.#lastName !== undefined) this.#endsFrom = now + HOLD_ENDS_MS;
      this.#name = writer;
      this.#lastName = writer;
      this.#wroteAt = Number.NEGATIVE_INFINITY;
    } else this.#notBefore = now + RETRY_MS;
  }

  /** Returns false if the log does not know this writer, or not as it is. */
  appended(asked: CommandOf<"append">, { seq }: AppendReply, now: number): boolean {
    if (asked.writer !== this.#name) return true;
    if (seq !== undefined) {
      this.buffer.acknowledge(seq, now);
      // It may be late: later ones have been done, and read back, already.
      if (seq >= asked.seq) return true;
      const missing = this.buffer.unconfirmed.find((batch) => batch.acknowledgedAt === undefined);
      // Anything between is lost: the log has gone back to a time before batches that are not kept any more.
      if (missing === undefined || missing.seq <= seq + 1) return true;
    }
    return false;
  }

  /** The answer to a burial of this node, by itself. */
  evicted(isDone: boolean): void {
    this.#isAsked = false;
    this.#hasLeft = isDone;
  }

  /** This node is not in the register any more. It may join when the log has been read up to `count`. */
  markExpelled(count: number): void {
    if (this.#name === undefined) return;
    if (this.#isLeaving) this.#hasLeft = true;
    this.#name = undefined;
    this.joinAfter = count;
    this.#again = [];
  }

  get #mayWriteAt(): number {
    if (this.isFull) return this.#wroteAt + FULL_INTERVAL_MS;
    return this.#wroteAt + (this.buffer.size > HURRY_NOTES ? HURRY_INTERVAL_MS : BATCH_INTERVAL_MS);
  }

  get #mayBury(): boolean {
    return !this.#isAsked && this.buffer.isAcknowledged;
  }

  #write(writer: string, commands: Command[], now: number, failed?: (error: unknown) => void): void {
    const { buffer } = this;
    for (const { seq, ops } of this.#again) commands.push({ do: "append", writer, seq, ops });
    this.#again = [];
    const isTime = now >= this.#mayWriteAt;
    const hasCapacity =
      buffer.unconfirmed.length < MAX_UNREAD_BATCHES && buffer.unconfirmedChars < MAX_UNREAD_CHARS;
    const mayWrite = isTime && hasCapacity;
    const withEnds = this.#isLeaving || now >= this.#endsFrom;
    if (mayWrite && (buffer.hasPending(withEnds) || now >= this.#wroteAt + this.#beatMs)) {
      this.#wroteAt = now;
      const { seq, ops } = buffer.makeBatch(now, withEnds, failed);
      commands.push({ do: "append", writer, seq, ops });
      if (buffer.hasPending(withEnds)) this.wake();
    } else if (this.#isLeaving && (buffer.isEmpty || this.isFull) && this.#mayBury) {
      this.#isAsked = true;
      commands.push({ do: "evict", writer, seq: buffer.seq });
    } else if (!isTime && buffer.hasPending(withEnds)) {
      // It was woken for something else, or by a timer that was a little early.
      this.wake();
    }
  }
}
