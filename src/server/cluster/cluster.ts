import { createHash } from "node:crypto";
import { NODE_NUMBERS } from "../../core/sessions/profile.ts";
import type { Clock } from "../clock.ts";
import type { GatewayNode } from "../gateway/gateway-node.ts";
import type { LeaderState, Replication, ReplicationSink } from "../gateway/replication.ts";
import { Link, type LinkCounts } from "./link.ts";
import type { LogSource } from "./log.ts";
import { RESYNC_REASONS, type ResyncReason } from "./reader.ts";
import { createReplicationSink } from "./replication-sink.ts";
import { Replicator, type ReplicatorEvents } from "./replicator.ts";
import { type AppLookup, ShardPresence } from "./shard-presence.ts";
import { type ShardedApp, Shards } from "./shards.ts";
import { writerNames } from "./writer-name.ts";

export interface ClusterOptions {
  readonly logs: LogSource;
  readonly nodeId: string;
  readonly leaseMs: number;
  readonly windowMs: number;
  /** How long the profile of a user who is offline is kept. */
  readonly retentionMs: number;
  readonly clock: Clock;
  readonly makeId: () => string;
  readonly log: ClusterLog;
  /** The number of logs, the same on all nodes. */
  readonly shards: number;
  /** The apps of this node, which follows the logs that their sessions are in. */
  readonly apps: readonly ShardedApp[];
  readonly observeLag: (ms: number) => void;
  readonly crashed: (error: unknown) => void;
  /** Called when another node, which is alive, has the id of this node. */
  readonly nodeIdConflict: () => void;
}

export interface ClusterLog {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
}

/** What the metrics show. */
export interface ClusterCounts extends LinkCounts {
  readonly resyncs: Record<ResyncReason, number>;
  badInputs: number;
  /** Defects that have shown while something was taken in or written. */
  failures: number;
  joins: number;
  expulsions: number;
  nodesLost: number;
  nodesDeclaredDead: number;
  disconnections: number;
}

const SAMPLE_MS = 1_000;
/** How long leaving may take. */
const LEAVE_MS = 2_000;

interface Shard {
  readonly replicator: Replicator;
  readonly link: Link;
}

/** This node's part in a cluster: it shows the sessions of all nodes that share the logs. */
export class Cluster implements Replication {
  readonly counts: ClusterCounts = {
    batches: 0,
    ops: 0,
    entries: 0,
    records: 0,
    resyncs: Object.fromEntries(RESYNC_REASONS.map((reason) => [reason, 0])) as ClusterCounts["resyncs"],
    badInputs: 0,
    failures: 0,
    joins: 0,
    expulsions: 0,
    nodesLost: 0,
    nodesDeclaredDead: 0,
    disconnections: 0,
  };
  readonly #options: ClusterOptions;
  readonly #layout: Shards;
  readonly #shards = new Map<number, Shard>();
  #node: GatewayNode | undefined;
  #wasReady = false;
  #degradedMs = 0;
  #degradedSince: number | undefined;
  #badInputsLoggedAt = Number.NEGATIVE_INFINITY;
  #failuresLoggedAt = Number.NEGATIVE_INFINITY;
  /** The shards that were last logged as being in a full Redis. */
  readonly #full = new Set<number>();
  #left: (() => void) | undefined;
  readonly #nodeNumber: number;
  readonly #makeWriterName: () => string;

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.#layout = new Shards(options.shards, options.apps);
    this.#makeWriterName = writerNames(options.clock.wallNow(), options.makeId);
    this.#nodeNumber = createHash("sha256").update(options.nodeId).digest().readUInt32BE() % NODE_NUMBERS;
  }

  /** Whether this node has shown the sessions of all nodes at least once. */
  get isReady(): boolean {
    return this.#wasReady;
  }

  /** Whether this node may not show the same sessions as the others now. */
  get isDegraded(): boolean {
    return !this.#every(({ replicator }) => replicator.isWhole);
  }

  tableIdOf(appId: string): string | undefined {
    const logIds = this.#layout.of(appId).map((shard) => this.#shards.get(shard)?.replicator.logId);
    return logIds.includes(undefined) ? undefined : hash(logIds.join(" "));
  }

  leadershipOf(appId: string): LeaderState | undefined {
    const [first] = this.#layout.of(appId);
    return this.isReady ? this.#shards.get(first!)?.replicator.leadership : undefined;
  }

  /** Whether Redis is out of memory for at least one shard. */
  get isRedisFull(): boolean {
    return !this.#every(({ replicator }) => !replicator.isRedisFull);
  }

  /** For how long this node was degraded since its start. */
  get degradedMs(): number {
    const { clock } = this.#options;
    return this.#degradedMs + (this.#degradedSince === undefined ? 0 : clock.now() - this.#degradedSince);
  }

  /** How many other nodes are alive. */
  get liveRemoteNodes(): number {
    return Math.max(
      0,
      ...Array.from(this.#shards.values(), ({ replicator }) => replicator.remoteNodes.alive),
    );
  }

  /** The rest of this node's shortest lease, in ms. At 0, other nodes may declare this node dead. */
  get leaseLeftMs(): number {
    const { clock, leaseMs } = this.#options;
    const acknowledgedAt = Math.min(...Array.from(this.#shards.values(), ({ link }) => link.acknowledgedAt));
    return Math.max(0, acknowledgedAt + leaseMs - clock.now());
  }

  /** Replicates what this node does to the sessions of an app. */
  sinkOf(appId: string): ReplicationSink {
    const replicator = (shard: number) => this.#shards.get(shard)?.replicator;
    const shards = this.#layout.of(appId);
    return createReplicationSink(
      appId,
      (userId) => replicator(this.#layout.find(appId, userId)!)!,
      // Before the start, no session can have lost its socket.
      (now) => shards.every((shard) => replicator(shard)?.canExpireSessions(now) ?? true),
      this.#nodeNumber,
    );
  }

  start(node: GatewayNode): void {
    this.#node = node;
    for (const shard of this.#layout.used) this.#shards.set(shard, this.#open(node, shard));
  }

  /** Prepares for more apps: to be called before the node serves them. */
  addApps(apps: readonly ShardedApp[]): void {
    const now = this.#options.clock.now();
    for (const app of apps) this.#layout.add(app);
    const shards = new Set(apps.flatMap(({ id }) => this.#layout.of(id)));
    for (const shard of shards) {
      const known = this.#shards.get(shard);
      if (known !== undefined) known.replicator.appsAdded(now);
      else if (this.#node !== undefined) this.#shards.set(shard, this.#open(this.#node, shard));
    }
    if (shards.size > 0) this.#updateStatus();
  }

  /** Writes what is pending, leaves this node's sessions to the other nodes, and closes. */
  async leave(): Promise<void> {
    for (const { replicator } of this.#shards.values()) replicator.leave();
    const left = new Promise<void>((resolve) => {
      this.#left = resolve;
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LEAVE_MS);
    });
    this.#updateStatus();
    await Promise.race([left, late]);
    clearTimeout(timer);
    await this.close();
  }

  /** Closes at once. The other nodes find out when the lease of this node is over. */
  async close(): Promise<void> {
    await Promise.all(Array.from(this.#shards.values(), ({ link }) => link.close()));
  }

  #every(isSo: (shard: Shard) => boolean): boolean {
    for (const shard of this.#shards.values()) if (!isSo(shard)) return false;
    return true;
  }

  #open(node: GatewayNode, shard: number): Shard {
    const { logs, nodeId, leaseMs, windowMs, retentionMs, clock, log } = this.#options;
    const layout = this.#layout;
    const presence = new ShardPresence(
      appsIn(node, layout, shard),
      (appId, userId) => layout.find(appId, userId) === shard,
      node.flushBatch,
    );
    let link: Link | undefined;
    const replicator = new Replicator({
      nodeId,
      leaseMs,
      intervalMs: logs.intervalMs,
      windowMs,
      retentionMs,
      makeId: this.#makeWriterName,
      presence,
      wakeBy: (due) => link?.wakeBy(due),
      events: this.#events(shard),
    });
    let isDisconnected = false;
    link = new Link({
      connect: () => logs.open(shard),
      intervalMs: logs.intervalMs,
      replicator,
      transact: (act) => {
        presence.transact(() => clock.now(), act);
        this.#updateStatus();
      },
      clock,
      leaseMs,
      counts: this.counts,
      events: {
        connected: () => {
          if (isDisconnected || !this.#wasReady) log.info({ shard }, `${logs.name} is connected`);
          isDisconnected = false;
        },
        disconnected: ({ message }) => {
          isDisconnected = true;
          this.counts.disconnections++;
          log.warn(
            { shard, reason: message },
            `connection to ${logs.name} lost: this node serves what it knows`,
          );
          this.#updateStatus();
        },
        crashed: (error) => this.#failed(error),
      },
    });
    return { replicator, link };
  }

  /**
   * Counts a defect. At most one a second is logged: a row that no node can take in shows one with each
   * reading.
   */
  #failed(error: unknown): void {
    this.counts.failures++;
    const now = this.#options.clock.now();
    if (now < this.#failuresLoggedAt + SAMPLE_MS) return;
    this.#failuresLoggedAt = now;
    this.#options.crashed(error);
  }

  #events(shard: number): ReplicatorEvents {
    const { log, clock, observeLag, nodeIdConflict, logs } = this.#options;
    const { counts } = this;
    return {
      joined: (writer) => {
        counts.joins++;
        log.info({ shard, writer }, "joined the cluster");
      },
      expelled: () => {
        counts.expulsions++;
        log.warn(
          { shard },
          `expelled from the cluster: another node declared this node dead, or ${logs.name} lost it; it joins again`,
        );
      },
      nodeIdConflict,
      nodeJoined: ({ nodeId, writer }) => log.info({ shard, nodeId, writer }, "a node has joined"),
      nodeEvicted: ({ nodeId, writer, heardAt, leaseMs }) => {
        counts.nodesLost++;
        const silentMs = Math.round(clock.now() - heardAt);
        // A node that leaves has just written so. Otherwise heartbeats come every third of a lease.
        if (silentMs < leaseMs / 2) {
          log.info({ shard, nodeId, writer }, "a node has left: its sessions wait to be resumed");
          return;
        }
        counts.nodesDeclaredDead++;
        log.warn(
          { shard, nodeId, writer, silentMs },
          "a node was declared dead: its sessions wait to be resumed",
        );
      },
      resync: (reason) => {
        counts.resyncs[reason]++;
        log[reason === "start" ? "info" : "warn"]({ shard, reason }, "reading all rows");
      },
      badInput: () => {
        counts.badInputs++;
        const now = this.#options.clock.now();
        if (now < this.#badInputsLoggedAt + SAMPLE_MS) return;
        this.#badInputsLoggedAt = now;
        log.warn({ count: counts.badInputs }, `ignored data in ${logs.name} that this version cannot read`);
      },
      failed: (error) => this.#failed(error),
      lag: observeLag,
    };
  }

  /** Logs changes of this node's status, and finds out whether it has left. */
  #updateStatus(): void {
    const now = this.#options.clock.now();
    this.#logWhetherRedisIsFull();
    const { isDegraded } = this;
    if (!isDegraded) this.#wasReady = true;
    // A node that leaves is not in the cluster any more, as it should be.
    const isMissing = this.#wasReady && isDegraded && this.#left === undefined;
    if (isMissing && this.#degradedSince === undefined) {
      this.#degradedSince = now;
      this.#options.log.warn({}, "degraded: this node may not show the same sessions as the others");
    } else if (!isDegraded && this.#degradedSince !== undefined) {
      const ms = now - this.#degradedSince;
      this.#degradedSince = undefined;
      this.#degradedMs += ms;
      this.#options.log.info(
        { degradedMs: Math.round(ms) },
        "in sync again: this node shows the same sessions as the others",
      );
    }
    if (this.#every(({ replicator }) => replicator.hasLeft)) this.#left?.();
  }

  #logWhetherRedisIsFull(): void {
    const { log, logs } = this.#options;
    for (const [shard, { replicator }] of this.#shards) {
      if (replicator.isRedisFull === this.#full.has(shard)) continue;
      if (replicator.isRedisFull) {
        this.#full.add(shard);
        log.warn({ shard }, `${logs.name} is full: it accepts only heartbeats and ends of sessions`);
      } else {
        this.#full.delete(shard);
        log.info({ shard }, `${logs.name} has room again`);
      }
    }
  }
}

/** A text of the length of an id, however many parts it is made of. */
function hash(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}

/** The apps that have sessions in a shard. */
function appsIn(node: GatewayNode, layout: Shards, shard: number): AppLookup {
  const isIn = (appId: string) => layout.of(appId).includes(shard);
  return {
    presence: (appId) => (isIn(appId) ? node.presence(appId) : undefined),
    presences: () => Array.from(node.presences()).filter(({ app }) => isIn(app.id)),
  };
}
