import type { EndCause } from "../../protocol/codes.ts";
import type { HeldSession } from "../gateway/tenant.ts";
import type { Op, OpKind } from "./log.ts";
import { encodeEnd, encodeRow } from "./record.ts";

/** What is to be said about a session. `session` is read when it is sent; undefined for one that has ended. */
export interface PendingWrite {
  readonly kind: OpKind;
  readonly appId: string;
  readonly session: HeldSession | undefined;
  readonly cause: EndCause;
  /** Of a session that is new: nothing was ever said about it. */
  readonly isNew?: boolean;
  /** A takeover that has taken its epoch back, see `isAbandoned`. */
  readonly isTakenBack?: boolean;
}

export interface Batch {
  readonly seq: number;
  readonly ops: readonly Op[];
  readonly writes: ReadonlyMap<string, PendingWrite>;
  readonly chars: number;
  readonly madeAt: number;
  /** When the log said that it is done. */
  acknowledgedAt: number | undefined;
}

/** Bounds of one batch, which keeps the log's other users waiting while it is written. */
export const MAX_BATCH_OPS = 512;
const MAX_BATCH_CHARS = 256 * 1024;

/**
 * What a writer has to say, and has said but not read back yet. What it has to say is the last word on each session, so it
 * does not grow with the time for which the log cannot be reached. A batch is never changed once it is made: sent again, it is the same.
 */
export class WriteBuffer {
  readonly #notes = new Map<string, PendingWrite>();
  #batches: Batch[] = [];
  /** Sessions about which a batch that was not read back says something that nobody can refuse, and in which. */
  readonly #lastWords = new Map<string, number>();
  #seq = 0;
  #unreadChars = 0;

  get isEmpty(): boolean {
    return this.#notes.size === 0;
  }

  /** Whether there is something to say. `withEnds`: of sessions that ended, too. */
  hasPending(withEnds: boolean): boolean {
    if (withEnds) return this.#notes.size > 0;
    for (const { kind } of this.#notes.values()) if (!isEnd(kind)) return true;
    return false;
  }

  /** Sessions about which there is something to say. */
  get size(): number {
    return this.#notes.size;
  }

  /** Whether all batches are known to be done. */
  get isAcknowledged(): boolean {
    return this.#batches.every((batch) => batch.acknowledgedAt !== undefined);
  }

  /** Batches that were not read back, the oldest first. */
  get unconfirmed(): readonly Batch[] {
    return this.#batches;
  }

  /** How much text is in them. */
  get unconfirmedChars(): number {
    return this.#unreadChars;
  }

  /** The number of the last batch. */
  get seq(): number {
    return this.#seq;
  }

  /** Takes a note. What was noted about the session before is said by this one too. */
  add(sessionId: string, note: PendingWrite): void {
    const before = this.#notes.get(sessionId);
    if (before === undefined) this.#notes.set(sessionId, note);
    // Nobody has to hear of it, or while the log cannot be reached, everybody who comes and goes would be kept.
    else if (before.isNew && isEnd(note.kind)) this.#notes.delete(sessionId);
    else this.#notes.set(sessionId, { ...after(before, note), isNew: before.isNew === true });
  }

  /** Drops the note about a session, if there is one. */
  drop(sessionId: string): void {
    this.#notes.delete(sessionId);
  }

  /** Whether something is noted or on its way about a session. */
  hasUnconfirmedWrite(sessionId: string): boolean {
    return this.#notes.has(sessionId) || this.#batches.some((batch) => batch.writes.has(sessionId));
  }

  /** Whether what this writer has to say about a session will be done whatever others have said before. */
  hasUnconfirmedOverride(sessionId: string): boolean {
    if (this.#lastWords.size > 0 && this.#lastWords.has(sessionId)) return true;
    if (this.#notes.size === 0) return false;
    return isLastWord(this.#notes.get(sessionId)?.kind);
  }

  /**
   * Makes the next batch of what is noted, as far as it goes into one and may be said; it may be empty, as a sign of life.
   * `failed`: called for each session that cannot be told of, which is left out.
   */
  makeBatch(now: number, withEnds = true, failed: (error: unknown) => void = () => {}): Batch {
    const seq = this.#seq + 1;
    const ops: Op[] = [];
    const writes = new Map<string, PendingWrite>();
    let chars = 0;
    for (const [sessionId, taken] of this.#notes) {
      if (ops.length === MAX_BATCH_OPS || chars > MAX_BATCH_CHARS) break;
      const { kind, session } = taken;
      if (!withEnds && isEnd(kind)) continue;
      this.#notes.delete(sessionId);
      try {
        const isTakenBack = isAbandoned(taken);
        if (isTakenBack) session!.origin!.term = epochBefore(session!);
        const text = encode(taken);
        chars += text.length;
        ops.push({ kind, sessionId, text });
        writes.set(sessionId, isTakenBack ? { ...taken, isTakenBack } : taken);
        if (isLastWord(kind)) this.#lastWords.set(sessionId, seq);
      } catch (error) {
        failed(error);
      }
    }
    const batch = { seq, ops, writes, chars, madeAt: now, acknowledgedAt: undefined };
    this.#seq = seq;
    this.#batches.push(batch);
    this.#unreadChars += chars;
    return batch;
  }

  /**
   * The batches that were not read back, to be sent again over another link. Which of the two copies the log does, if the first one
   * is still on its way, makes no difference for what comes after it: they have the same number, sessions and kinds. But a takeover
   * whose client has left meanwhile is not to win against one that was made since.
   */
  batchesToResend(): readonly Batch[] {
    this.#batches = this.#batches.map((batch) => {
      if (![...batch.writes.values()].some(isAbandoned)) return batch;
      const ops = batch.ops.map((op) => {
        const note = batch.writes.get(op.sessionId)!;
        if (!isAbandoned(note)) return op;
        // This node's own epoch stays: the copy that tells of it may be the one that is done.
        return { ...op, text: encodeRow(note.appId, note.session!, epochBefore(note.session!)) };
      });
      return { ...batch, ops };
    });
    return this.#batches;
  }

  /** Whether a batch that was not read back takes the session over. */
  hasSentOverride(sessionId: string): boolean {
    return this.#lastWords.has(sessionId);
  }

  /** Says that the log has done everything up to this batch. */
  acknowledge(seq: number, now: number): void {
    for (const batch of this.#batches) {
      if (batch.seq > seq) break;
      batch.acknowledgedAt ??= now;
    }
  }

  /** Takes out the batches up to this one, and returns it. */
  confirm(seq: number): Batch | undefined {
    let last: Batch | undefined;
    while (this.#batches.length > 0 && this.#batches[0]!.seq <= seq) {
      last = this.#batches.shift()!;
      this.#unreadChars -= last.chars;
      for (const sessionId of last.writes.keys()) {
        if (this.#lastWords.get(sessionId) === last.seq) this.#lastWords.delete(sessionId);
      }
    }
    return last?.seq === seq ? last : undefined;
  }

  /** Begins to number anew, as another writer. What was not read back is noted again, with what was noted since. */
  restart(): void {
    for (const { writes } of this.#batches.reverse()) {
      for (const [sessionId, note] of writes) {
        // Others may have taken it over meanwhile.
        if (note.session?.origin?.owner !== undefined) continue;
        this.#notes.set(sessionId, { ...after(note, this.#notes.get(sessionId)), isNew: false });
      }
    }
    this.#batches = [];
    this.#lastWords.clear();
    this.#seq = 0;
    this.#unreadChars = 0;
  }

  /** The log had no room for what a batch, which is confirmed, said about a session: it is noted again, with what was said since. */
  addAgain(batch: Batch, sessionId: string): void {
    let note = batch.writes.get(sessionId)!;
    for (const { writes } of this.#batches) note = after(note, writes.get(sessionId));
    note = after(note, this.#notes.get(sessionId));
    // Others may have taken it over meanwhile.
    if (note.session?.origin?.owner === undefined) this.#notes.set(sessionId, { ...note, isNew: false });
  }
}

function encode({ appId, session, cause }: PendingWrite): string {
  return session === undefined ? encodeEnd(appId, cause) : encodeRow(appId, session);
}

/**
 * Whether the client that made a takeover has left before it was written. It is written at the epoch before: it moves the session
 * here, where it waits to be resumed, unless another node has taken it over since.
 */
function isAbandoned({ kind, session, isTakenBack }: PendingWrite): boolean {
  if (kind !== "takeover" || session === undefined || isTakenBack === true) return false;
  return session.holder === undefined && session.origin?.owner === undefined;
}

function epochBefore(session: HeldSession): number {
  return Math.max(0, session.origin!.term - 1);
}

function isLastWord(kind: OpKind | undefined): boolean {
  return kind === "takeover" || kind === "forceEnd";
}

function isEnd(kind: OpKind): boolean {
  return kind === "end" || kind === "forceEnd";
}

/** One note that says what both would have said, one after the other. */
function after(before: PendingWrite, next: PendingWrite | undefined): PendingWrite {
  if (next === undefined) return before;
  const isTakenBack = before.isTakenBack === true && next.kind !== "takeover";
  return { ...next, kind: join(before.kind, next.kind), isTakenBack };
}

/** One kind that does what both would have done, one after the other. */
function join(before: OpKind, next: OpKind): OpKind {
  if (before === "takeover" && next === "patch") return "takeover";
  if (before === "takeover" && next === "end") return "forceEnd";
  if (before === "open" && next === "patch") return "open";
  return next;
}
