import type { Session } from "../../core/sessions/session.ts";
import type { EndCause } from "../../protocol/codes.ts";
import type { AppendReply, Command, CommandOf, JoinReply } from "./log.ts";
import { type Batch, type EpochSetter, MAX_BATCH_OPS, WriteBuffer } from "./write-buffer.ts";

/** By how much the interval is shorter while many batches are pending, as after Redis was emptied. */
const HURRY_FACTOR = 2;
const HURRY_WRITES = 4 * MAX_BATCH_OPS;
/** While Redis is full, what it refused is tried again at this interval. It is a heartbeat too. */
const FULL_INTERVAL_MS = 500;
/** The longest time between heartbeats. Each also finds out whether the log still knows this node. */
const MAX_HEARTBEAT_MS = 2_000;
/** How many batches may be unconfirmed: enough for one each interval over a slow network. */
export const MAX_UNCONFIRMED_BATCHES = 64;
/** How much text may be unconfirmed: until Redis has read it, it takes memory there. */
const MAX_UNCONFIRMED_CHARS = 4 * 1024 * 1024;
const RETRY_MS = 1_000;
/**
 * After it has joined again, a node waits this long before it writes ends. The log may have been emptied, so
 * it does not remember what has ended. A node that comes back later than an end would go on showing the
 * session, or, if it owns the session, open it again.
 */
const HOLD_ENDS_MS = 2_000;
const MAX_FORMER_NAMES = 16;

export interface WriterOptions {
  readonly nodeId: string;
  readonly leaseMs: number;
  /** At most one batch in this time. With a read in the same time, a node sends two commands in it. */
  readonly intervalMs: number;
  readonly makeId: () => string;
  readonly presence: EpochSetter;
  /** Called with the time at which there will be something to write. */
  readonly wakeBy: (due: number) => void;
}

/**
 * The writing half of a replicator: the name of this node in the log, and what it writes there. It joins
 * under a new name, and again when it is not in the register any more: it was declared dead, or the log has
 * lost what it wrote.
 */
export class Writer {
  readonly buffer: WriteBuffer;
  readonly #options: WriterOptions;
  readonly #heartbeatMs: number;
  #name: string | undefined;
  /** The name under which the batches in `buffer` were written. */
  #lastName: string | undefined;
  /** The names under which it has asked to join, the latest last. */
  #names: string[] = [];
  /**
   * How far the log has to be read before this node joins, so that it knows what the others did meanwhile.
   */
  joinAfter = 0;
  /** Whether Redis is out of memory. */
  isRedisFull = false;
  #isAsked = false;
  #notBefore = Number.NEGATIVE_INFINITY;
  #isLinked = false;
  #toResend: readonly Batch[] = [];
  #wroteAt = Number.NEGATIVE_INFINITY;
  #endsFrom = Number.NEGATIVE_INFINITY;
  #isLeaving = false;
  #hasLeft = false;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.buffer = new WriteBuffer(options.presence);
    this.#heartbeatMs = Math.min(options.leaseMs / 3, MAX_HEARTBEAT_MS);
  }

  /** The name of this node in the log; undefined while it is not in the register. */
  get name(): string | undefined {
    return this.#name;
  }

  get hasLeft(): boolean {
    return this.#hasLeft;
  }

  /** Whether the unconfirmed batches were written under this name. */
  hasWrittenAs(name: string): boolean {
    return name === this.#lastName;
  }

  /** Whether this node has this name as a writer, had it, or has asked for it. */
  wasWriter(name: string): boolean {
    return this.#names.includes(name);
  }

  linked(): void {
    this.#isLinked = true;
    this.#isAsked = false;
    // The reply to a batch that was done may be lost, and so may a batch that was sent.
    this.#toResend = [...this.buffer.batchesToResend()];
  }

  unlinked(): void {
    this.#isLinked = false;
  }

  /** Writes how a session of this node is. `isNew`: no other node can have heard of it. */
  writeRow(kind: "open" | "patch" | "takeover", appId: string, session: Session, isNew = false): void {
    this.buffer.add(session.sessionId, { kind, appId, session, cause: "closed", isNew });
    this.wake();
  }

  writeEnd(kind: "end" | "forceEnd", appId: string, sessionId: string, cause: EndCause): void {
    this.buffer.add(sessionId, { kind, appId, session: undefined, cause });
    this.wake();
  }

  /** Writes the profile of a user. `text`: its record. */
  writeProfile(appId: string, key: string, text: string): void {
    this.buffer.add(key, { kind: "profile", appId, session: undefined, cause: "closed", text });
    this.wake();
  }

  /** Asks to be called when the next batch may be written. Has to be called after a write was added. */
  wake(): void {
    if (this.#isLinked && this.#name !== undefined) {
      this.#options.wakeBy(this.#mayWriteAt);
    }
  }

  /**
   * Leaves the cluster once everything is written. The other nodes may then take this node's sessions over.
   */
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
    // The reply to an earlier attempt that was done may be lost.
    const formerly = this.#names.slice(-MAX_FORMER_NAMES);
    this.#names = [...formerly, writer];
    commands.push({ do: "join", writer, leaseMs, nodeId, formerly });
  }

  joined(writer: string, reply: JoinReply, now: number): void {
    this.#isAsked = false;
    if (reply.ok) {
      this.buffer.restart();
      // They were written under another name, and their writes are pending again.
      this.#toResend = [];
      if (this.#lastName !== undefined) this.#endsFrom = now + HOLD_ENDS_MS;
      this.#name = writer;
      this.#lastName = writer;
      this.#wroteAt = Number.NEGATIVE_INFINITY;
    } else this.#notBefore = now + RETRY_MS;
  }

  /**
   * Takes the reply to a batch. Returns false if the log does not know this writer, or knows it as of an
   * earlier time.
   */
  appended(command: CommandOf<"append">, { seq }: AppendReply, now: number): boolean {
    if (command.writer !== this.#name) return true;
    if (seq !== undefined) {
      this.buffer.acknowledge(seq, now);
      // The reply may be late, after later batches were done and read back.
      if (seq >= command.seq) return true;
      const missing = this.buffer.unconfirmed.find((batch) => batch.acknowledgedAt === undefined);
      // If there is a gap, the log has gone back to a time before batches that are not kept any more.
      if (missing === undefined || missing.seq <= seq + 1) return true;
    }
    return false;
  }

  /** Takes the reply to the eviction of this node by itself. */
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
    this.#toResend = [];
  }

  get #mayWriteAt(): number {
    if (this.isRedisFull) return this.#wroteAt + FULL_INTERVAL_MS;
    const { intervalMs } = this.#options;
    return this.#wroteAt + (this.buffer.size > HURRY_WRITES ? intervalMs / HURRY_FACTOR : intervalMs);
  }

  get #mayEvictItself(): boolean {
    return !this.#isAsked && this.buffer.isAcknowledged;
  }

  #write(writer: string, commands: Command[], now: number, failed?: (error: unknown) => void): void {
    const { buffer } = this;
    for (const { seq, ops } of this.#toResend) commands.push({ do: "append", writer, seq, ops });
    this.#toResend = [];
    const isTime = now >= this.#mayWriteAt;
    const hasCapacity =
      buffer.unconfirmed.length < MAX_UNCONFIRMED_BATCHES && buffer.unconfirmedChars < MAX_UNCONFIRMED_CHARS;
    const mayWrite = isTime && hasCapacity;
    const withEnds = this.#isLeaving || now >= this.#endsFrom;
    if (mayWrite && (buffer.hasPending(withEnds) || now >= this.#wroteAt + this.#heartbeatMs)) {
      this.#wroteAt = now;
      const { seq, ops } = buffer.makeBatch(now, withEnds, failed);
      commands.push({ do: "append", writer, seq, ops });
      if (buffer.hasPending(withEnds)) this.wake();
    } else if (this.#isLeaving && (buffer.isEmpty || this.isRedisFull) && this.#mayEvictItself) {
      this.#isAsked = true;
      commands.push({ do: "evict", writer, seq: buffer.seq });
    } else if (!isTime && buffer.hasPending(withEnds)) {
      // It was woken for something else, or by a timer that fired a little early.
      this.wake();
    }
  }
}
