import type { Clock } from "../clock.ts";
import type { Hub } from "../gateway/hub.ts";
import type { Journal, Replication } from "../gateway/journal.ts";
import { Link, type LinkCounts } from "./link.ts";
import { RESYNC_REASONS, type ResyncReason } from "./reader.ts";
import { DEFAULT_LOG_BYTES, RedisLog } from "./redis-log.ts";
import { RedisMemoryCheck } from "./redis-memory.ts";
import { Replicator, type ReplicatorEvents } from "./replicator.ts";
import { type AppLookup, createReplicationSink, ShardPresence } from "./shard-presence.ts";
import { type ShardedApp, Shards } from "./shards.ts";

export interface ClusterOptions {
  readonly redisUrls: readonly string[];
  readonly nodeId: string;
  readonly leaseMs: number;
  readonly windowMs: number;
  readonly clock: Clock;
  readonly makeId: () => string;
  readonly log: ClusterLog;
  /** How many logs there are, the same on all nodes; and the apps of this one, which follows those that it needs. */
  readonly shards: number;
  readonly apps: readonly ShardedApp[];
  /** About how many entries a log keeps. */
  readonly maxLogLength?: number;
  /** How much memory of Redis a log takes at most. */
  readonly maxLogBytes?: number;
  readonly observeLag: (ms: number) => void;
  readonly crashed: (error: unknown) => void;
  /** Another node, which is alive, goes by this node's id. */
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
  /** Defects that showed while something was taken in or told. */
  failures: number;
  joins: number;
  expulsions: number;
  nodesLost: number;
  nodesDeclaredDead: number;
  disconnections: number;
}

const KEEP = 10_000;
const SAMPLE_MS = 1_000;
/** How long the last words may take. */
const LEAVE_MS = 2_000;

interface Shard {
  readonly replicator: Replicator;
  readonly link: Link;
}

/** This node's part in a cluster: its tables are those of all nodes that share a Redis. */
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
  #wasReady = false;
  #degradedMs = 0;
  #degradedSince: number | undefined;
  #badInputsLoggedAt = Number.NEGATIVE_INFINITY;
  #failuresLoggedAt = Number.NEGATIVE_INFINITY;
  /** Shards of which it was said that Redis is full. */
  readonly #full = new Set<number>();
  readonly #memory: RedisMemoryCheck;
  #left: (() => void) | undefined;

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.#layout = new Shards(options.shards, options.apps);
    const { log, maxLogBytes = DEFAULT_LOG_BYTES } = options;
    this.#memory = new RedisMemoryCheck(maxLogBytes, (details, message) => log.warn(details, message));
  }

  /** Whether this node has shown the whole at least once. */
  get isReady(): boolean {
    return this.#wasReady;
  }

  /** Whether it cannot vouch now that it shows what all nodes do, and they what it does. */
  get isDegraded(): boolean {
    return !this.#every(({ replicator }) => replicator.isWhole);
  }

  /** Whether Redis has no room for what the nodes have to say, in one shard at least. */
  get isRedisFull(): boolean {
    return !this.#every(({ replicator }) => !replicator.isFull);
  }

  /** For how long it was, together. */
  get degradedMs(): number {
    const { clock } = this.#options;
    return this.#degradedMs + (this.#degradedSince === undefined ? 0 : clock.now() - this.#degradedSince);
  }

  /** Other nodes, as far as they are alive. */
  get liveRemoteNodes(): number {
    return Math.max(
      0,
      ...Array.from(this.#shards.values(), ({ replicator }) => replicator.remoteNodes.alive),
    );
  }

  /** What is left of the shortest of its leases: from 0 on the others may declare this node dead. */
  get leaseLeftMs(): number {
    const { clock, leaseMs } = this.#options;
    const acknowledgedAt = Math.min(...Array.from(this.#shards.values(), ({ link }) => link.acknowledgedAt));
    return Math.max(0, acknowledgedAt + leaseMs - clock.now());
  }

  /** For the tenant of an app. */
  journal(appId: string): Journal {
    const replicator = (shard: number) => this.#shards.get(shard)?.replicator;
    const shards = this.#layout.of(appId);
    return createReplicationSink(
      appId,
      (userId) => replicator(this.#layout.find(appId, userId)!)!,
      // Before the start nobody is lost.
      (now) => shards.every((shard) => replicator(shard)?.canExpireSessions(now) ?? true),
    );
  }

  start(hub: Hub): void {
    for (const shard of this.#layout.used) this.#shards.set(shard, this.#open(hub, shard));
  }

  /** Says what there is to say, and leaves this node's sessions to the others; then ends. */
  async leave(): Promise<void> {
    for (const { replicator } of this.#shards.values()) replicator.leave();
    const left = new Promise<void>((resolve) => {
      this.#left = resolve;
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LEAVE_MS);
    });
    this.#look();
    await Promise.race([left, late]);
    clearTimeout(timer);
    await this.close();
  }

  /** Ends without a word. */
  async close(): Promise<void> {
    await Promise.all(Array.from(this.#shards.values(), ({ link }) => link.close()));
  }

  #every(isSo: (shard: Shard) => boolean): boolean {
    for (const shard of this.#shards.values()) if (!isSo(shard)) return false;
    return true;
  }

  #open(hub: Hub, shard: number): Shard {
    const {
      redisUrls,
      nodeId,
      leaseMs,
      windowMs,
      clock,
      makeId,
      maxLogLength = KEEP,
      maxLogBytes,
    } = this.#options;
    const layout = this.#layout;
    const tables = new ShardPresence(
      tenantsIn(hub, layout, shard),
      (appId, userId) => layout.find(appId, userId) === shard,
    );
    let link: Link | undefined;
    const replicator = new Replicator({
      nodeId,
      leaseMs,
      windowMs,
      makeId,
      presence: tables,
      wakeBy: (due) => link?.wakeBy(due),
      events: this.#events(shard),
    });
    let isLost = false;
    link = new Link({
      connect: async () => {
        const redisLog = await RedisLog.connect({ urls: redisUrls, shard, maxLogLength, maxLogBytes });
        this.#memory.check(redisLog.url, shard);
        return redisLog;
      },
      replicator,
      flush: (now) => {
        tables.flush(now);
        this.#look();
      },
      clock,
      leaseMs,
      counts: this.counts,
      events: {
        connected: () => {
          if (isLost || !this.#wasReady) this.#options.log.info({ shard }, "Redis is connected");
          isLost = false;
        },
        disconnected: ({ message }) => {
          isLost = true;
          this.counts.disconnections++;
          this.#options.log.warn({ shard, reason: message }, "Redis is lost: this node serves what it knows");
          this.#look();
        },
        crashed: (error) => this.#failed(error),
      },
    });
    return { replicator, link };
  }

  /** Each is counted; of many that come together, as of a row that no node can take in, the log has one a second. */
  #failed(error: unknown): void {
    this.counts.failures++;
    const now = this.#options.clock.now();
    if (now < this.#failuresLoggedAt + SAMPLE_MS) return;
    this.#failuresLoggedAt = now;
    this.#options.crashed(error);
  }

  #events(shard: number): ReplicatorEvents {
    const { log, clock, observeLag, nodeIdConflict } = this.#options;
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
          "this node is not in the cluster any more, as others took it for dead or Redis forgot: it joins again",
        );
      },
      nodeIdConflict,
      nodeJoined: ({ nodeId, writer }) => log.info({ shard, peer: nodeId, writer }, "a node has joined"),
      nodeEvicted: ({ nodeId, writer, heardAt, leaseMs }) => {
        counts.nodesLost++;
        const silentMs = Math.round(clock.now() - heardAt);
        // Who leaves has just said so; signs of life come every third of a lease.
        if (silentMs < leaseMs / 2) {
          log.info({ shard, peer: nodeId, writer }, "a node has left: its sessions wait to be resumed");
          return;
        }
        counts.nodesDeclaredDead++;
        log.warn(
          { shard, peer: nodeId, writer, silentMs },
          "a node was declared dead: its sessions wait to be resumed",
        );
      },
      resync: (reason) => {
        counts.resyncs[reason]++;
        log[reason === "start" ? "info" : "warn"]({ shard, reason }, "all rows are read");
      },
      badInput: () => {
        counts.badInputs++;
        const now = this.#options.clock.now();
        if (now < this.#badInputsLoggedAt + SAMPLE_MS) return;
        this.#badInputsLoggedAt = now;
        log.warn(
          { count: counts.badInputs },
          "Redis has what no node wrote, or one of another version: it is left out",
        );
      },
      failed: (error) => this.#failed(error),
      lag: observeLag,
    };
  }

  /** Sees whether something has changed that others want to know. */
  #look(): void {
    const now = this.#options.clock.now();
    this.#lookAtRoom();
    const { isDegraded } = this;
    if (!isDegraded) this.#wasReady = true;
    // Who leaves is not in the cluster any more, as it should be.
    const isMissing = this.#wasReady && isDegraded && this.#left === undefined;
    if (isMissing && this.#degradedSince === undefined) {
      this.#degradedSince = now;
      this.#options.log.warn({}, "degraded: this node cannot tell whether it shows what all others do");
    } else if (!isDegraded && this.#degradedSince !== undefined) {
      const ms = now - this.#degradedSince;
      this.#degradedSince = undefined;
      this.#degradedMs += ms;
      this.#options.log.info(
        { degradedMs: Math.round(ms) },
        "agreed again: this node shows what all others do",
      );
    }
    if (this.#every(({ replicator }) => replicator.hasLeft)) this.#left?.();
  }

  #lookAtRoom(): void {
    for (const [shard, { replicator }] of this.#shards) {
      if (replicator.isFull === this.#full.has(shard)) continue;
      if (replicator.isFull) {
        this.#full.add(shard);
        this.#options.log.warn({ shard }, "Redis is full: it takes signs of life and ends, and nothing else");
      } else {
        this.#full.delete(shard);
        this.#options.log.info({ shard }, "Redis has room again");
      }
    }
  }
}

/** The tenants that have sessions in a shard. */
function tenantsIn(hub: Hub, layout: Shards, shard: number): AppLookup {
  const isIn = (appId: string) => layout.of(appId).includes(shard);
  return {
    tenant: (appId) => (isIn(appId) ? hub.tenant(appId) : undefined),
    tenants: () => Array.from(hub.tenants()).filter(({ app }) => isIn(app.id)),
  };
}
