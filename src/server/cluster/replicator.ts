import type { Profile } from "../../core/sessions/profile.ts";
import type { Session } from "../../core/sessions/session.ts";
import type { EndCause } from "../../protocol/codes.ts";
import {
  decideAfterReload,
  decideUnheardProfile,
  decideWithoutRow,
  decideWithoutSession,
  isOwn,
} from "./decisions.ts";
import { detectFailures } from "./detect-failures.ts";
import type { Effect } from "./effect.ts";
import { EffectApplier } from "./effect-applier.ts";
import { Leadership } from "./leadership.ts";
import { LocalKnowledge } from "./local-knowledge.ts";
import type {
  AppendReply,
  Command,
  CommandOf,
  Entry,
  JoinReply,
  LogStatus,
  ScanBatch,
  ScannedRow,
} from "./log.ts";
import { Reachability } from "./reachability.ts";
import { Reader, type ReaderTarget, type ResyncReason } from "./reader.ts";
import { Reconciler } from "./reconciler.ts";
import { profileKey } from "./record.ts";
import { RecordIntake } from "./record-intake.ts";
import { type RemoteNode, RemoteNodes } from "./remote-nodes.ts";
import type { ShardPresence } from "./shard-presence.ts";
import { Writer, type WriterOptions } from "./writer.ts";

/** What an operator may want to know. */
export interface ReplicatorEvents {
  joined(writer: string): void;
  /** This node was declared dead, or the log has lost what it wrote. It will join again. */
  expelled(): void;
  /** Another node, which is alive, has the id of this node. */
  nodeIdConflict(): void;
  nodeJoined(node: RemoteNode): void;
  nodeEvicted(node: RemoteNode): void;
  /** All rows are about to be read. */
  resync(reason: ResyncReason): void;
  /** A record was left out that no node with the same version and settings can have written. */
  badInput(): void;
  /** A defect in this code has shown. What it was about is read again. */
  failed?(error: unknown): void;
  /** The time from the making of a batch until it was read back. */
  lag(ms: number): void;
}

export interface ReplicatorOptions extends WriterOptions {
  /** How long the sessions of a node that has left can be taken over. */
  readonly windowMs: number;
  /** How long the profile of a user who is offline is kept. */
  readonly retentionMs: number;
  readonly presence: ShardPresence;
  readonly events: ReplicatorEvents;
}

/** A node that does not read back within this time what the log has done reads another log than it writes. */
const READ_BACK_MS = 2_000;
/** No session ends for want of a socket while this node has waited this long to read back what it wrote. */
const MAX_UNHEARD_MS = 500;
const DETECT_INTERVAL_MS = 100;

/**
 * Keeps the sessions of one shard the same on all nodes. It is told of local changes, of the time, and of the
 * replies of the log. It returns what the log is to do (`step`), and applies what it reads to this node's
 * presence. See log.ts for the log, and decisions.ts for which record wins.
 *
 * A local change shows on this node at once. Until it is read back, older records of other nodes do not undo
 * it. So when everything has been read, all nodes show the same.
 */
export class Replicator implements ReaderTarget {
  readonly remoteNodes: RemoteNodes;
  readonly leadership: Leadership;
  readonly #presence: ShardPresence;
  readonly #events: ReplicatorEvents;
  readonly #reachability: Reachability;
  readonly #reader: Reader;
  readonly #writer: Writer;
  readonly #reconciler = new Reconciler();
  readonly #knowledge: LocalKnowledge;
  readonly #effects: EffectApplier;
  readonly #intake: RecordIntake;
  readonly #wakeBy: (due: number) => void;
  readonly #leaseMs: number;
  #detectAt = Number.NEGATIVE_INFINITY;
  #logId: string | undefined;
  /** This node is not in the register any more, which says nothing of an eviction. */
  #wasForgotten = false;

  constructor(options: ReplicatorOptions) {
    const { presence, events, leaseMs } = options;
    this.#presence = presence;
    this.#events = events;
    this.#wakeBy = options.wakeBy;
    this.#leaseMs = leaseMs;
    this.leadership = new Leadership(leaseMs);
    const remoteNodes = new RemoteNodes(options.windowMs);
    this.remoteNodes = remoteNodes;
    this.#reachability = new Reachability(leaseMs);
    const reader = new Reader(this, this.#reachability);
    this.#reader = reader;
    const writer = new Writer(options);
    this.#writer = writer;
    const reconciler = this.#reconciler;
    const rejected = () => events.badInput();
    const knowledge = new LocalKnowledge({ presence, remoteNodes, writer, reconciler });
    this.#knowledge = knowledge;
    const { retentionMs } = options;
    const effects = new EffectApplier({
      presence,
      remoteNodes,
      writer,
      reconciler,
      reader,
      rejected,
      retentionMs,
    });
    this.#effects = effects;
    this.#intake = new RecordIntake({
      presence,
      writer,
      reconciler,
      knowledge,
      effects,
      rejected,
      observeLag: (ms) => events.lag(ms),
      failed: (error, now) => this.failed(error, now),
    });
  }

  /** Whether this node shows what all others show, and they are told what it does. */
  get isWhole(): boolean {
    if (this.#reachability.isRedisFull || this.#reader.isInDoubt) return false;
    return this.#reader.isFollowing && this.#writer.name !== undefined;
  }

  /** Names the log whose sessions this node shows; undefined while it may not show those of all nodes. */
  get logId(): string | undefined {
    return this.isWhole ? this.#logId : undefined;
  }

  /** Whether Redis is out of memory. */
  get isRedisFull(): boolean {
    return this.#reachability.isRedisFull;
  }

  get hasLeft(): boolean {
    return this.#writer.hasLeft;
  }

  /** The id of the entry after which the log has to be read; undefined: not now. */
  get readAfter(): string | undefined {
    return this.#reader.after;
  }

  /** Whether sessions that lost their socket here may be ended. */
  canExpireSessions(now: number): boolean {
    const hearsItself = this.#unheardMs(now) < MAX_UNHEARD_MS;
    return this.#reachability.canExpireSessions(now, hearsItself, this.remoteNodes.leastRecentlyHeardAt);
  }

  /** Sizes of what must not grow without bound. */
  debugCounts(): Record<string, number> {
    return {
      unconfirmed: this.#writer.buffer.unconfirmed.length,
      remoteNodes: this.remoteNodes.size,
      unresolved: this.#reconciler.size,
    };
  }

  // Local changes

  /** Writes how a session of this node is. `isNew`: no other node can have heard of it. */
  writeRow(kind: "open" | "patch" | "takeover", appId: string, session: Session, isNew = false): void {
    if (kind === "open") this.#reconciler.markAlive(session.sessionId);
    this.#writer.writeRow(kind, appId, session, isNew);
  }

  /** Writes that a session has ended on this node. */
  writeEnd(kind: "end" | "forceEnd", appId: string, sessionId: string, cause: EndCause): void {
    this.#reconciler.markEnded(sessionId);
    this.#writer.writeEnd(kind, appId, sessionId, cause);
  }

  /** Writes the profile of a user. */
  writeProfile(appId: string, userId: string, profile: Profile): void {
    this.#effects.writeProfile(appId, userId, profile);
  }

  /**
   * Leaves the cluster once everything is written. The other nodes may then take this node's sessions over.
   */
  leave(): void {
    this.#writer.leave();
  }

  // What the link to the log tells

  linked(now: number): void {
    this.#reader.linked(now);
    this.#writer.linked();
    this.#restartLeases(now);
  }

  unlinked(now: number): void {
    this.#reader.unlinked(now);
    this.#writer.unlinked();
  }

  /** The next entries failed to be read several times. */
  skipUnreadable(): void {
    this.#reader.skipUnreadable();
  }

  /** What the log is to do now. The replies come by the methods below, from this link only. */
  step(now: number): Command[] {
    const commands: Command[] = [];
    this.#attempt(now, () => {
      this.#resolve(now);
      if (this.#reader.isFollowing && !this.#reader.isInDoubt) this.#reachability.reached(now);
      if (now >= this.#detectAt && this.#reachability.canDetectFailures(now) && this.#hearsItself(now)) {
        this.#detectAt = now + DETECT_INTERVAL_MS;
        commands.push(...this.#detectFailures(now));
      }
    });
    this.#reader.step(commands, now);
    const mayJoin = this.#reader.isFollowing && this.#reader.count >= this.#writer.joinAfter;
    this.#writer.step(commands, mayJoin, now, (error) => this.failed(error, now));
    if (!this.#isReadBack(now)) this.#reader.restart(now, "not_read_back");
    const hearsOthers = this.#reachability.canDetectFailures(now) && this.#hearsItself(now);
    const rank = this.remoteNodes.rank(this.#writer.name ?? "");
    this.leadership.update({ isWhole: this.isWhole, hearsOthers, rank }, now);
    return commands;
  }

  /** A defect has shown, so a record may not have been taken in. All rows will be read again. */
  failed(error: unknown, now: number): void {
    this.#reader.doubt(now);
    this.#events.failed?.(error);
  }

  statusRead(status: LogStatus, now: number): void {
    const { name } = this.#writer;
    const others = status.register.filter(({ writer }) => writer !== name);
    if (this.remoteNodes.compare(others, now)) this.leadership.joinedByOther(now);
    const own = status.register.find(({ writer }) => writer === name);
    if (name !== undefined && own?.seq === undefined) this.#expel(status.end.count, now, own === undefined);
    this.#reader.statusRead(status, now);
  }

  scanned(batch: ScanBatch, now: number): void {
    this.#reader.scanned(batch, now);
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
    // Another node may have evicted this one before the log was lost, or may have begun with an empty log.
    if (this.#wasForgotten) this.leadership.resign();
    this.#wasForgotten = false;
    this.#logId = reply.logId;
    for (const { appId, session } of this.#presence.all()) {
      if (!isOwn(session) || this.#knowledge.hasUnconfirmedOverride(session.sessionId)) continue;
      this.writeRow("open", appId, session);
    }
    this.#events.joined(writer);
    this.#wakeBy(now);
  }

  /** This node serves more apps, whose sessions may be in the log already. */
  appsAdded(now: number): void {
    this.#reader.appsAdded(now);
    this.#wakeBy(now);
  }

  appended(command: CommandOf<"append">, reply: AppendReply, now: number): void {
    if (this.#writer.appended(command, reply, now)) return;
    // A log that has forgotten the writer is a new one, or an older copy. It may happen to have as many
    // entries as this node has read, so the count does not tell.
    const wasForgotten = reply.seq !== undefined || reply.isForgotten === true;
    this.#expel(reply.count, now, wasForgotten, reply.isForgotten === true && this.#reader.isFollowing);
  }

  evicted(writer: string, isDone: boolean): void {
    if (writer === this.#writer.name) this.#writer.evicted(isDone);
  }

  // What the reader has read

  badInput(): void {
    this.#events.badInput();
  }

  apply(entry: Entry, now: number): void {
    this.#attempt(now, () => this.#apply(entry, now));
  }

  loading({ register }: LogStatus, reason: ResyncReason): void {
    this.#events.resync(reason);
    this.#reconciler.begin();
    // The rows tell what other nodes did, and this may be another log than the one that expelled this node.
    this.#writer.joinAfter = 0;
    const own = register.find(({ writer }) => writer === this.#writer.name);
    this.#writer.buffer.confirm(own?.seq ?? 0);
  }

  row(row: ScannedRow, now: number): void {
    this.#intake.takeRow(row, now);
  }

  loaded(now: number): void {
    for (const { appId, session } of this.#presence.all()) {
      if (!isOwn(session)) this.remoteNodes.getOrAdd(session.ownership!.owner!, now);
      this.#perform(decideAfterReload(appId, session, this.#knowledge), now);
    }
    for (const { appId, userId, profile } of this.#presence.profiles()) {
      const key = profileKey(appId, userId);
      this.#perform(decideUnheardProfile(appId, userId, key, profile, this.#knowledge), now);
    }
    this.#reconciler.end(now);
    this.#restartLeases(now);
  }

  #restartLeases(now: number): void {
    this.remoteNodes.restartLeases(now);
    this.leadership.leasesRestarted(now);
  }

  #apply(entry: Entry, now: number): void {
    switch (entry.kind) {
      case "join":
        if (this.#writer.wasWriter(entry.writer)) return;
        this.leadership.joinedByOther(now);
        return this.#events.nodeJoined(
          this.remoteNodes.joined(entry.writer, entry.leaseMs, entry.nodeId, now),
        );
      case "evict":
        return entry.writer === this.#writer.name
          ? this.#expel(entry.count, now, false)
          : this.#evict(entry.writer, now);
      case "batch":
        this.#reachability.wrote(entry.isFull === true, now);
        this.#writer.isRedisFull = this.#reachability.isRedisFull;
        if (this.#writer.wasWriter(entry.writer)) return this.#intake.confirm(entry, now);
        this.remoteNodes.heardFrom(entry.writer, entry.seq, now);
        this.#intake.takeBatch(entry.writer, entry.records, now);
    }
  }

  #evict(writer: string, now: number): void {
    const node = this.remoteNodes.evict(writer, now);
    for (const { appId, session } of this.#presence.all()) {
      if (session.ownership?.owner === writer) this.#perform({ do: "ownerLost", appId, session }, now);
    }
    this.#events.nodeEvicted(node);
  }

  /**
   * This node is not in the register any more, as of the position `count`. `wasForgotten`: the log says
   * nothing of an eviction.
   */
  #expel(count: number, now: number, wasForgotten: boolean, isOtherLog = false): void {
    if (wasForgotten) this.#wasForgotten = true;
    else this.leadership.resign();
    this.#writer.markExpelled(count);
    // A node that leaves has asked for it.
    if (!this.#writer.hasLeft) this.#events.expelled();
    if (isOtherLog || count < this.#reader.count) this.#reader.restart(now, "log_changed");
  }

  #detectFailures(now: number): readonly Command[] {
    const { remoteNodes } = this;
    const knowledge = this.#knowledge;
    const self = this.#writer.name ?? "";
    const sessions = this.#presence.all();
    const { commands, effects } = detectFailures({ remoteNodes, sessions, knowledge, self }, now);
    for (const effect of effects) this.#perform(effect, now);
    return commands;
  }

  /** Decides what the last reading of all rows has left open, once the other nodes have had their time. */
  #resolve(now: number): void {
    if (!this.#reader.isFollowing) return;
    if (this.#reconciler.releaseQuarantined(now)) return this.#reader.restart(now, "log_changed");
    const { withoutRow, withoutSession } = this.#reconciler.takeUnresolved(now);
    for (const [sessionId, appId] of withoutRow) {
      this.#perform(decideWithoutRow(appId, this.#presence.get(appId, sessionId)), now);
    }
    for (const [sessionId, appId] of withoutSession) {
      const session = this.#presence.get(appId, sessionId);
      this.#perform(decideWithoutSession(appId, sessionId, session, this.#knowledge), now);
    }
  }

  #perform(effect: Effect, now: number): void {
    this.#attempt(now, () => this.#effects.apply(effect, now));
  }

  #attempt(now: number, act: () => void): void {
    try {
      act();
    } catch (error) {
      this.failed(error, now);
    }
  }

  /** A node that does not even hear of itself cannot tell that others are silent. */
  #hearsItself(now: number): boolean {
    return this.#unheardMs(now) < this.#leaseMs / 2;
  }

  /** For how long this node has waited to read back what it wrote. */
  #unheardMs(now: number): number {
    const [oldest] = this.#writer.buffer.unconfirmed;
    return oldest === undefined ? 0 : now - oldest.madeAt;
  }

  /** Whether this node reads back what it writes. */
  #isReadBack(now: number): boolean {
    if (!this.isWhole || now - this.#reader.readAt < READ_BACK_MS) return true;
    const [oldest] = this.#writer.buffer.unconfirmed;
    return oldest?.acknowledgedAt === undefined || now - oldest.acknowledgedAt < READ_BACK_MS;
  }
}
