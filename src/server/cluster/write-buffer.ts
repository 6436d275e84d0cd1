import type { Session } from "../../core/sessions/session.ts";
import type { EndCause } from "../../protocol/codes.ts";
import type { Op, OpKind } from "./log.ts";
import { encodeEnd, encodeRow } from "./record.ts";
import type { ShardPresence } from "./shard-presence.ts";

/**
 * What is to be written about a session. `session` is encoded when it is sent; undefined for one that has
 * ended.
 */
export interface PendingWrite {
  readonly kind: OpKind;
  readonly appId: string;
  readonly session: Session | undefined;
  readonly cause: EndCause;
  /** The record of a profile, which does not change before it is sent; undefined for sessions. */
  readonly text?: string;
  /** The session is new: nothing was ever written about it. */
  readonly isNew?: boolean;
  /** A takeover that was written at the epoch before its own, see `isAbandoned`. */
  readonly isTakenBack?: boolean;
}

export interface Batch {
  readonly seq: number;
  readonly ops: readonly Op[];
  readonly writes: ReadonlyMap<string, PendingWrite>;
  readonly chars: number;
  readonly madeAt: number;
  /** When the log replied that it is done. */
  acknowledgedAt: number | undefined;
}

/** Where the epoch of a takeover is taken back, see `isAbandoned`. */
export type EpochSetter = Pick<ShardPresence, "setEpoch">;

/** Bounds of one batch: Redis serves no other client while it does one. */
export const MAX_BATCH_OPS = 512;
export const MAX_BATCH_CHARS = 256 * 1024;

/**
 * What this node has yet to write, and the batches that it has written but not read back. Keeps only the
 * latest pending write per session, so it stays bounded while Redis is down. A batch never changes: sent
 * again, it is the same.
 */
export class WriteBuffer {
  readonly #presence: EpochSetter;
  readonly #pending = new Map<string, PendingWrite>();
  #unconfirmed: Batch[] = [];
  /** By session, the number of the last unconfirmed batch that takes it over or forces its end. */
  readonly #sentOverrides = new Map<string, number>();
  #seq = 0;
  #unconfirmedChars = 0;

  constructor(presence: EpochSetter) {
    this.#presence = presence;
  }

  get isEmpty(): boolean {
    return this.#pending.size === 0;
  }

  /** Whether something is pending. `withEnds`: ends and profiles count too. */
  hasPending(withEnds: boolean): boolean {
    if (withEnds) return this.#pending.size > 0;
    for (const { kind } of this.#pending.values()) if (!isHeld(kind)) return true;
    return false;
  }

  /** The number of sessions with a pending write. */
  get size(): number {
    return this.#pending.size;
  }

  /** Whether the log has replied to all batches. */
  get isAcknowledged(): boolean {
    return this.#unconfirmed.every((batch) => batch.acknowledgedAt !== undefined);
  }

  /** The batches that were not read back, the oldest first. */
  get unconfirmed(): readonly Batch[] {
    return this.#unconfirmed;
  }

  /** How much text is in them. */
  get unconfirmedChars(): number {
    return this.#unconfirmedChars;
  }

  /** The number of the last batch. */
  get seq(): number {
    return this.#seq;
  }

  /**
   * Adds a write. If one is pending for the session, the result does what both would have done. A profile is
   * written after what came before it: a user who is erased is no longer invisible, and must be gone by then.
   */
  add(sessionId: string, write: PendingWrite): void {
    if (write.kind === "profile") this.#pending.delete(sessionId);
    const before = this.#pending.get(sessionId);
    if (before === undefined) this.#pending.set(sessionId, write);
    // No other node knows the session. Otherwise every visitor would be kept while the log cannot be reached.
    else if (before.isNew && isEnd(write.kind)) this.#pending.delete(sessionId);
    else this.#pending.set(sessionId, { ...merge(before, write), isNew: before.isNew === true });
  }

  /** Drops the pending write of a session, if there is one. */
  drop(sessionId: string): void {
    this.#pending.delete(sessionId);
  }

  /** Whether a write about a session is pending, or was sent and not read back. */
  hasUnconfirmedWrite(sessionId: string): boolean {
    return this.#pending.has(sessionId) || this.#unconfirmed.some(({ writes }) => writes.has(sessionId));
  }

  /** The same for a takeover or a forced end, which the log does whatever others have written before. */
  hasUnconfirmedOverride(sessionId: string): boolean {
    if (this.#sentOverrides.size > 0 && this.#sentOverrides.has(sessionId)) return true;
    if (this.#pending.size === 0) return false;
    return isOverride(this.#pending.get(sessionId)?.kind);
  }

  /** Whether a takeover or a forced end was sent and not read back. */
  hasSentOverride(sessionId: string): boolean {
    return this.#sentOverrides.has(sessionId);
  }

  /**
   * Makes the next batch of pending writes, as many as fit. Without any it is empty, a heartbeat.
   * `withEnds`: whether it may contain ends and profiles. `failed`: called for each session that cannot be
   * encoded, which is left out.
   */
  makeBatch(now: number, withEnds = true, failed: (error: unknown) => void = () => {}): Batch {
    const seq = this.#seq + 1;
    const ops: Op[] = [];
    const writes = new Map<string, PendingWrite>();
    let chars = 0;
    for (const [sessionId, write] of this.#pending) {
      if (ops.length === MAX_BATCH_OPS || chars > MAX_BATCH_CHARS) break;
      const { kind, appId, session } = write;
      if (!withEnds && isHeld(kind)) continue;
      this.#pending.delete(sessionId);
      try {
        const isTakenBack = isAbandoned(write);
        if (isTakenBack) this.#presence.setEpoch(appId, session!, epochBefore(session!), now);
        const text = encode(write);
        chars += text.length;
        ops.push({ kind, sessionId, text });
        writes.set(sessionId, isTakenBack ? { ...write, isTakenBack } : write);
        if (isOverride(kind)) this.#sentOverrides.set(sessionId, seq);
      } catch (error) {
        failed(error);
      }
    }
    const batch = { seq, ops, writes, chars, madeAt: now, acknowledgedAt: undefined };
    this.#seq = seq;
    this.#unconfirmed.push(batch);
    this.#unconfirmedChars += chars;
    return batch;
  }

  /**
   * The unconfirmed batches, to be sent again over a new link. The first copy may still arrive. Both copies
   * have the same number, sessions and kinds, so it makes no difference which one the log does. One thing
   * does change: a takeover whose client has left meanwhile must not win against a takeover that was made
   * since.
   */
  batchesToResend(): readonly Batch[] {
    this.#unconfirmed = this.#unconfirmed.map((batch) => {
      if (![...batch.writes.values()].some(isAbandoned)) return batch;
      const ops = batch.ops.map((op) => {
        const write = batch.writes.get(op.sessionId)!;
        if (!isAbandoned(write)) return op;
        // The session keeps its epoch here: the log may do the first copy, which has that one.
        return { ...op, text: encodeRow(write.appId, write.session!, epochBefore(write.session!)) };
      });
      return { ...batch, ops };
    });
    return this.#unconfirmed;
  }

  /** The log has replied that everything up to this batch is done. */
  acknowledge(seq: number, now: number): void {
    for (const batch of this.#unconfirmed) {
      if (batch.seq > seq) break;
      batch.acknowledgedAt ??= now;
    }
  }

  /** The batches up to this one were read back. Returns this one, if it was among the unconfirmed. */
  confirm(seq: number): Batch | undefined {
    let last: Batch | undefined;
    while (this.#unconfirmed.length > 0 && this.#unconfirmed[0]!.seq <= seq) {
      last = this.#unconfirmed.shift()!;
      this.#unconfirmedChars -= last.chars;
      for (const sessionId of last.writes.keys()) {
        if (this.#sentOverrides.get(sessionId) === last.seq) this.#sentOverrides.delete(sessionId);
      }
    }
    return last?.seq === seq ? last : undefined;
  }

  /**
   * Starts numbering at 1, as another writer. What was not read back is pending again, merged with what came
   * since.
   */
  restart(): void {
    for (const { writes } of this.#unconfirmed.reverse()) {
      for (const [sessionId, write] of writes) {
        if (isElsewhere(write)) continue;
        this.#pending.set(sessionId, { ...merge(write, this.#pending.get(sessionId)), isNew: false });
      }
    }
    this.#unconfirmed = [];
    this.#sentOverrides.clear();
    this.#seq = 0;
    this.#unconfirmedChars = 0;
  }

  /** Redis had no room for a write of a confirmed batch. It is pending again, merged with what came since. */
  addAgain(batch: Batch, sessionId: string): void {
    let write = batch.writes.get(sessionId)!;
    for (const { writes } of this.#unconfirmed) write = merge(write, writes.get(sessionId));
    write = merge(write, this.#pending.get(sessionId));
    if (!isElsewhere(write)) this.#pending.set(sessionId, { ...write, isNew: false });
  }
}

function encode({ appId, session, cause, text }: PendingWrite): string {
  if (text !== undefined) return text;
  return session === undefined ? encodeEnd(appId, cause) : encodeRow(appId, session);
}

/** Whether another node has taken the session over meanwhile. */
function isElsewhere({ session }: PendingWrite): boolean {
  return session?.ownership?.owner !== undefined;
}

/**
 * Whether the client that caused a takeover has left before it was written. Such a takeover is written at the
 * epoch before. It moves the session here, where it waits to be resumed, unless another node has taken it
 * over since.
 */
function isAbandoned({ kind, session, isTakenBack }: PendingWrite): boolean {
  if (kind !== "takeover" || session === undefined || isTakenBack === true) return false;
  return session.connection === undefined && session.ownership?.owner === undefined;
}

function epochBefore(session: Session): number {
  return Math.max(0, session.ownership!.epoch - 1);
}

function isOverride(kind: OpKind | undefined): boolean {
  return kind === "takeover" || kind === "forceEnd";
}

function isEnd(kind: OpKind): boolean {
  return kind === "end" || kind === "forceEnd";
}

/** Profiles wait with the ends: a user who is erased must be gone before being invisible no more. */
function isHeld(kind: OpKind): boolean {
  return isEnd(kind) || kind === "profile";
}

/** One write that does what both would have done, one after the other. */
function merge(before: PendingWrite, next: PendingWrite | undefined): PendingWrite {
  if (next === undefined) return before;
  const isTakenBack = before.isTakenBack === true && next.kind !== "takeover";
  return { ...next, kind: mergeKinds(before.kind, next.kind), isTakenBack };
}

function mergeKinds(before: OpKind, next: OpKind): OpKind {
  if (before === "takeover" && next === "patch") return "takeover";
  if (before === "takeover" && next === "end") return "forceEnd";
  if (before === "open" && next === "patch") return "open";
  return next;
}
