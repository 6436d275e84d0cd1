import { MAX_ORIGIN } from "../../core/sessions/session.ts";
import type { EndCause } from "../../protocol/codes.ts";
import { idProblem } from "../../protocol/rules.ts";
import type { HeldSession } from "../gateway/tenant.ts";
import { detectFailures } from "./detect-failures.ts";
import type {
  AppendReply,
  Command,
  CommandOf,
  Entry,
  JoinReply,
  LogStatus,
  OpKind,
  ScanBatch,
} from "./log.ts";
import { QuorumTracker } from "./quorum-tracker.ts";
import { Reader, type ReaderTarget, type ResyncReason } from "./reader.ts";
import { Reconciler } from "./reconciler.ts";
import { parseRecord, readRecord } from "./record.ts";
import { type RemoteNode, RemoteNodes } from "./remote-nodes.ts";
import type { Tables } from "./tables.ts";
import type { PendingWrite } from "./write-buffer.ts";
import { Writer, type WriterOptions } from "./writer.ts";

/** What the operator may want to know. */
export interface ReplicatorEvents {
  joined(writer: string): void;
  /** This node was declared dead, or the log has lost what it wrote: it will join again. */
  expelled(): void;
  /** Another node, which is alive, goes by this node's id. */
  nodeIdConflict(): void;
  nodeJoined(peer: RemoteNode): void;
  nodeEvicted(peer: RemoteNode): void;
  /** All rows are read. */
  resync(reason: ResyncReason): void;
  badInput(): void;
  /** A defect of ours: what it was about is read again. */
  failed?(error: unknown): void;
  /** From the making of a batch until it was read back. */
  lag(ms: number): void;
}

export interface ReplicatorOptions extends WriterOptions {
  /** How long the sessions of a node that is gone can be taken over. */
  readonly windowMs: number;
  readonly presence: Tables;
  readonly events: ReplicatorEvents;
}

type WrittenBatch = Extract<Entry, { kind: "batch" }>;

/** What the log has done is read back within this time, or this node reads something else than it writes. */
const READ_BACK_MS = 2_000;
const JUDGE_INTERVAL_MS = 100;
/** More of one user than any node lets in: each costs all that the user has. */
const MAX_SESSIONS_OF_A_USER = 10_000;

/**
 * Keeps the tables of this node and the log of its cluster the same. It is told of changes, of the time, and of what the log
 * answers; it says what the log is to be asked (`step`), and writes to the tables. See log.ts for the rules.
 *
 * Changes that are made here show here at once. What others say about a session that this node has the last word on, still on
 * its way, is passed over, as it stands before it in the log. So when all has been read, all nodes show the same.
 */
export class Replicator implements ReaderTarget {
  readonly remoteNodes: RemoteNodes;
  readonly #tables: Tables;
  readonly #events: ReplicatorEvents;
  readonly #touch: QuorumTracker;
  readonly #reader: Reader;
  readonly #writer: Writer;
  readonly #sweep = new Reconciler();
  readonly #wakeBy: (due: number) => void;
  readonly #leaseMs: number;
  #judgeAt = Number.NEGATIVE_INFINITY;

  constructor(options: ReplicatorOptions) {
    this.#tables = options.presence;
    this.#events = options.events;
    this.#wakeBy = options.wakeBy;
    this.#leaseMs = options.leaseMs;
    this.remoteNodes = new RemoteNodes(options.windowMs);
    this.#touch = new QuorumTracker(options.leaseMs);
    this.#reader = new Reader(this, this.#touch);
    this.#writer = new Writer(options);
  }

  /** Whether this node shows what all others do, and they hear of it. */
  get isWhole(): boolean {
    if (this.#touch.isFull || this.#reader.isInDoubt) return false;
    return this.#reader.isFollowing && this.#writer.name !== undefined;
  }

  /** Whether Redis has no room for what the nodes have to say. */
  get isFull(): boolean {
    return this.#touch.isFull;
  }

  get hasLeft(): boolean {
    return this.#writer.hasLeft;
  }

  /** After which entry the log is to be read; undefined: not now. */
  get readAfter(): string | undefined {
    return this.#reader.after;
  }

  /** Whether sessions that were lost here may be ended. */
  canExpireSessions(now: number): boolean {
    return this.#touch.canExpireSessions(now);
  }

  /** What shows whether something grows. */
  debugCounts(): Record<string, number> {
    return {
      unread: this.#writer.buffer.unconfirmed.length,
      peers: this.remoteNodes.size,
      doubts: this.#sweep.size,
    };
  }

  // What happens here

  note(kind: OpKind, appId: string, session: HeldSession, isNew = false): void {
    this.#writer.buffer.add(session.sessionId, { kind, appId, session, cause: "closed", isNew });
    this.#writer.wake();
  }

  noteEnd(kind: "end" | "forceEnd", appId: string, sessionId: string, cause: EndCause): void {
    this.#sweep.markEnded(sessionId);
    this.#writer.buffer.add(sessionId, { kind, appId, session: undefined, cause });
    this.#writer.wake();
  }

  leave(): void {
    this.#writer.leave();
  }

  // What the link to the log tells

  linked(now: number): void {
    this.#reader.linked(now);
    this.#writer.linked();
    this.remoteNodes.restartLeases(now);
  }

  unlinked(now: number): void {
    this.#reader.unlinked(now);
    this.#writer.unlinked();
  }

  /** What follows in the log cannot be read, again and again. */
  skipUnreadable(): void {
    this.#reader.skip();
  }

  /** What is to be asked now. The answers come by the calls below, from this link only. */
  step(now: number): Command[] {
    const commands: Command[] = [];
    const { buffer, joinAfter, name } = this.#writer;
    // One after the other, as what one of them asks for has to be asked though another one fails.
    this.#attempt(now, () => {
      this.#settleDoubts(now);
      if (this.#reader.isFollowing && !this.#reader.isInDoubt) this.#touch.reached(now);
      if (now >= this.#judgeAt && this.#touch.canDetectFailures(now) && this.#hearsItself(now)) {
        this.#judgeAt = now + JUDGE_INTERVAL_MS;
        commands.push(...detectFailures(this.remoteNodes, this.#tables, buffer, name ?? "", now));
      }
    });
    this.#reader.step(commands, now);
    const mayJoin = this.#reader.isFollowing && this.#reader.count >= joinAfter;
    this.#writer.step(commands, mayJoin, now, (error) => this.failed(error, now));
    if (!this.#isReadBack(now)) this.#reader.restart(now, "not_read_back");
    return commands;
  }

  /** A defect showed, and nobody knows what of what was read has been taken in: all rows are read, and show it. */
  failed(error: unknown, now: number): void {
    this.#reader.doubt(now);
    this.#events.failed?.(error);
  }

  statusRead(look: LogStatus, now: number): void {
    const { name } = this.#writer;
    this.remoteNodes.compare(
      look.register.filter(({ writer }) => writer !== name),
      now,
    );
    const own = look.register.find(({ writer }) => writer === name);
    if (name !== undefined && own?.seq === undefined) this.#expel(look.end.count, now);
    this.#reader.statusRead(look, now);
  }

  scanned(page: ScanBatch, now: number): void {
    this.#reader.scanned(page, now);
  }

  read(after: string, entries: readonly Entry[], now: number): void {
    this.#reader.read(after, entries, now);
  }

  joined(writer: string, reply: JoinReply, now: number): void {
    this.#writer.joined(writer, reply, now);
    if (!reply.ok) {
      if (this.remoteNodes.get(reply.holder)?.hasWritten) this.#events.nodeIdConflict();
      return;
    }
    const { buffer } = this.#writer;
    for (const { appId, session } of this.#tables.all()) {
      if (isOwn(session) && !buffer.hasUnconfirmedOverride(session.sessionId))
        this.note("open", appId, session);
    }
    this.#events.joined(writer);
    this.#wakeBy(now);
  }

  appended(asked: CommandOf<"append">, reply: AppendReply, now: number): void {
    if (!this.#writer.appended(asked, reply, now)) this.#expel(reply.count, now);
  }

  evicted(writer: string, isDone: boolean): void {
    if (writer === this.#writer.name) this.#writer.evicted(isDone);
  }

  // What was read

  badInput(): void {
    this.#events.badInput();
  }

  apply(entry: Entry, now: number): void {
    this.#attempt(now, () => this.#apply(entry, now));
  }

  #apply(entry: Entry, now: number): void {
    switch (entry.kind) {
      case "join":
        if (this.#writer.wasWriter(entry.writer)) return;
        this.remoteNodes.joined(entry.writer, entry.leaseMs, entry.nodeId, now);
        return this.#events.nodeJoined(this.remoteNodes.get(entry.writer)!);
      case "evict":
        if (entry.writer === this.#writer.name) return this.#expel(entry.count, now);
        this.#bury(entry.writer, now);
        return;
      case "batch":
        this.#touch.wrote(entry.isFull === true, now);
        this.#writer.isFull = this.#touch.isFull;
        if (this.#writer.wasWriter(entry.writer)) return this.#confirm(entry, now);
        this.#applyFacts(this.remoteNodes.heardFrom(entry.writer, entry.seq, now).writer, entry.records, now);
    }
  }

  #attempt(now: number, act: () => void): void {
    try {
      act();
    } catch (error) {
      this.failed(error, now);
    }
  }

  loading({ register }: LogStatus, reason: ResyncReason): void {
    this.#events.resync(reason);
    this.#sweep.begin();
    // The rows tell what others did, and this may be another log than the one that it was expelled from.
    this.#writer.joinAfter = 0;
    const own = register.find(({ writer }) => writer === this.#writer.name);
    this.#writer.buffer.confirm(own?.seq ?? 0);
  }

  row(row: ScanBatch["rows"][number], now: number): void {
    this.#attempt(now, () => this.#applyRow(row, now));
  }

  #applyRow({ sessionId, owner, text }: ScanBatch["rows"][number], now: number): void {
    const parsed = parseRecord(text);
    if (parsed === undefined) return this.#events.badInput();
    const { appId } = parsed;
    if (!this.#tables.serves(appId)) return;
    const session = this.#tables.get(appId, sessionId);
    const fact = readRecord(parsed, session);
    if (fact?.kind !== "row" || (session === undefined && idProblem(sessionId) !== undefined)) {
      return this.#events.badInput();
    }
    const remote = fact.session;
    this.#sweep.heard(sessionId);
    const { buffer } = this.#writer;
    if (this.#writer.wasWriter(owner)) {
      const isMissing = session === undefined || !isOwn(session);
      if (isMissing && !buffer.hasUnconfirmedWrite(sessionId))
        this.#sweep.addWithoutSession(sessionId, appId);
      return;
    }
    if (this.#standsBefore(appId, sessionId, session, remote.term)) return;
    if (session === undefined && this.#isTooMany(appId, remote.userId)) return this.#events.badInput();
    if (session === undefined && this.#sweep.quarantines(sessionId)) return;
    if (this.#isOutdated(appId, session, remote.term, now)) return;
    buffer.drop(sessionId);
    this.#tables.applyRemote(appId, sessionId, remote, this.remoteNodes.getOrAdd(owner, now).writer, now);
  }

  loaded(now: number): void {
    const { buffer } = this.#writer;
    for (const { appId, session } of this.#tables.all()) {
      const { sessionId, origin } = session;
      const isSeen = this.#sweep.hasHeard(sessionId);
      if (isOwn(session)) {
        if (!isSeen && !buffer.hasUnconfirmedWrite(sessionId)) this.note("open", appId, session);
        continue;
      }
      const owner = this.remoteNodes.getOrAdd(origin!.owner!, now);
      if (owner.expireSessionsAt !== undefined) this.#orphan(appId, session, now);
      if (!isSeen && owner.seq !== undefined) this.#sweep.addWithoutRow(sessionId, appId);
    }
    this.#sweep.end(now);
    this.remoteNodes.restartLeases(now);
  }

  /** Each on its own: one that fails keeps none of the others from being taken in. */
  #applyFacts(owner: string, records: readonly string[], now: number): void {
    for (let i = 0; i + 1 < records.length; i += 2) {
      try {
        this.#applyFact(owner, records[i]!, records[i + 1]!, now);
      } catch (error) {
        this.failed(error, now);
      }
    }
  }

  #applyFact(owner: string, sessionId: string, text: string, now: number): void {
    const { buffer } = this.#writer;
    const parsed = parseRecord(text);
    if (parsed === undefined) return this.#events.badInput();
    const { appId } = parsed;
    if (!this.#tables.serves(appId)) return;
    const session = this.#tables.get(appId, sessionId);
    const fact = readRecord(parsed, session);
    if (fact === undefined || (session === undefined && idProblem(sessionId) !== undefined)) {
      return this.#events.badInput();
    }
    this.#sweep.heard(sessionId);
    const term = fact.kind === "row" ? fact.session.term : 0;
    if (this.#standsBefore(appId, sessionId, session, term)) return;
    if (fact.kind === "row") {
      if (this.#isOutdated(appId, session, term, now)) return;
      if (session === undefined && this.#isTooMany(appId, fact.session.userId)) {
        return this.#events.badInput();
      }
      this.#sweep.markAlive(sessionId);
      buffer.drop(sessionId);
      this.#tables.applyRemote(appId, sessionId, fact.session, owner, now);
    } else if (session !== undefined) this.#endFollowed(appId, session, fact.cause, now);
  }

  /**
   * Whether what is said of a session stands in the log before a takeover or kick of this node that was not read back yet. One
   * of a higher epoch does not: its node has read what is on its way.
   */
  #standsBefore(appId: string, sessionId: string, session: HeldSession | undefined, term: number): boolean {
    const { buffer } = this.#writer;
    if (!buffer.hasUnconfirmedOverride(sessionId) || hasMoved(session, term)) return false;
    if (session === undefined || !isOwn(session) || term !== session.origin!.term) return true;
    // Two nodes have taken the session over without hearing of each other, and this node's takeover is the later one.
    if (session.holder !== undefined) {
      // An older copy of the log may lack it, so it gets an epoch of its own.
      session.origin!.term = Math.min(term + 1, MAX_ORIGIN);
      this.note("takeover", appId, session);
      return true;
    }
    // Its client has left, so the other node keeps the session, if nothing else was written yet.
    return buffer.hasSentOverride(sessionId);
  }

  #isTooMany(appId: string, userId: string): boolean {
    return this.#tables.countSessions(appId, userId) >= MAX_SESSIONS_OF_A_USER;
  }

  /**
   * Whether what is said of a session is of a time before it was taken over: the log has gone back, or who says it was away. Who
   * has taken it over last says so again.
   */
  #isOutdated(appId: string, session: HeldSession | undefined, term: number, now: number): boolean {
    if (session === undefined || term >= session.origin!.term) return false;
    if (isOwn(session)) this.note("takeover", appId, session);
    else if (this.remoteNodes.getOrAdd(session.origin!.owner!, now).seq === undefined) return false;
    return true;
  }

  #endFollowed(appId: string, session: HeldSession, cause: EndCause, now: number): void {
    const { buffer } = this.#writer;
    if (cause === "node-lost" && isOwn(session)) {
      // This node was declared dead, and it is not.
      if (!buffer.hasUnconfirmedWrite(session.sessionId)) this.note("open", appId, session);
      return;
    }
    buffer.drop(session.sessionId);
    this.#sweep.markEnded(session.sessionId);
    this.#tables.applyRemoteEnd(appId, session, cause, now);
  }

  /** What this node wrote has come back. */
  #confirm({ writer, seq, records, isFull }: WrittenBatch, now: number): void {
    if (this.#sweep.isCollecting) for (let i = 0; i < records.length; i += 2) this.#sweep.heard(records[i]!);
    if (!this.#writer.hasWrittenAs(writer)) return;
    const { buffer } = this.#writer;
    const batch = buffer.confirm(seq);
    if (batch === undefined) return;
    this.#events.lag(now - batch.madeAt);
    const done = records.length === 2 * batch.ops.length ? undefined : new Set(records);
    for (const { sessionId, kind } of batch.ops) {
      const isDone = done === undefined || done.has(sessionId);
      if (isFull && !isDone) buffer.addAgain(batch, sessionId);
      if (buffer.hasUnconfirmedWrite(sessionId)) continue;
      try {
        this.#settleOp(batch.writes.get(sessionId)!, sessionId, kind, isDone, now);
      } catch (error) {
        this.failed(error, now);
      }
    }
    if (isFull) this.#writer.wake();
  }

  #settleOp(
    { appId, cause }: PendingWrite,
    sessionId: string,
    kind: OpKind,
    isDone: boolean,
    now: number,
  ): void {
    const session = this.#tables.get(appId, sessionId);
    if (!isDone) this.#refused(appId, session, kind, now);
    else if (kind === "end" || kind === "forceEnd") {
      if (session !== undefined && !isOwn(session)) this.#tables.applyRemoteEnd(appId, session, cause, now);
    } else if (session === undefined) {
      // It was ended from outside before this was written, which has brought it back.
      this.noteEnd("end", appId, sessionId, "closed");
    } else if (!isOwn(session)) this.#tables.reclaim(appId, session, now);
  }

  /** What was asked for was not done. If nothing that was read until then says why, rows are missing, or this node missed some. */
  #refused(appId: string, session: HeldSession | undefined, kind: OpKind, now: number): void {
    if (session === undefined) return;
    const { owner } = session.origin!;
    if (owner === undefined && kind === "patch") this.note("open", appId, session);
    else if (owner === undefined || this.remoteNodes.getOrAdd(owner, now).seq === undefined)
      this.#reader.restart(now, "refused");
  }

  #bury(writer: string, now: number): void {
    this.remoteNodes.evict(writer, now);
    for (const { appId, session } of this.#tables.all()) {
      if (session.origin?.owner === writer) this.#orphan(appId, session, now);
    }
    this.#events.nodeEvicted(this.remoteNodes.getOrAdd(writer, now));
  }

  #orphan(appId: string, session: HeldSession, now: number): void {
    this.#attempt(now, () => this.#tables.onOwnerLost(appId, session, now));
  }

  #expel(count: number, now: number): void {
    this.#writer.markExpelled(count);
    this.#events.expelled();
    // The log has gone back to an earlier time, or is a new one.
    if (count < this.#reader.count) this.#reader.restart(now, "log_changed");
  }

  #settleDoubts(now: number): void {
    if (!this.#reader.isFollowing) return;
    if (this.#sweep.releaseQuarantined(now)) return this.#reader.restart(now, "log_changed");
    const { withoutRow, withoutSession } = this.#sweep.takeUnresolved(now);
    for (const [sessionId, appId] of withoutRow) {
      const session = this.#tables.get(appId, sessionId);
      if (session === undefined || isOwn(session)) continue;
      this.#attempt(now, () => this.#tables.applyRemoteEnd(appId, session, "closed", now));
    }
    for (const [sessionId, appId] of withoutSession) {
      const session = this.#tables.get(appId, sessionId);
      const isHere = session !== undefined && isOwn(session);
      if (!isHere && !this.#writer.buffer.hasUnconfirmedWrite(sessionId))
        this.noteEnd("end", appId, sessionId, "closed");
    }
  }

  /** Whoever does not even hear of itself cannot tell that others are silent. */
  #hearsItself(now: number): boolean {
    const [oldest] = this.#writer.buffer.unconfirmed;
    return oldest === undefined || now - oldest.madeAt < this.#leaseMs / 2;
  }

  /** Whether what this node writes comes back to it. */
  #isReadBack(now: number): boolean {
    if (!this.isWhole || now - this.#reader.readAt < READ_BACK_MS) return true;
    const [oldest] = this.#writer.buffer.unconfirmed;
    return oldest?.acknowledgedAt === undefined || now - oldest.acknowledgedAt < READ_BACK_MS;
  }
}

/** Whether somebody has taken over the session from who this node knows as its owner. */
function hasMoved(session: HeldSession | undefined, term: number): boolean {
  return session !== undefined && term > session.origin!.term;
}

function isOwn(session: HeldSession): boolean {
  return session.origin?.owner === undefined;
}
