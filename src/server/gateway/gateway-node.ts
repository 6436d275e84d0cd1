import { Deadlines } from "../../core/collections/deadlines.ts";
import type { App } from "../auth/app.ts";
import type { Clock } from "../clock.ts";
import { Admissions, type Admitted } from "./admission.ts";
import { AppPresence } from "./app-presence.ts";
import { FlushBatch } from "./flush-batch.ts";
import { ENDS_PER_TURN, type GatewayConfig, MAX_DUE_PER_TURN } from "./gateway-config.ts";
import { LoadShedder } from "./load-shedder.ts";
import { type Newcomer, Newcomers } from "./newcomers.ts";
import { PageTurns } from "./page-turns.ts";
import { PendingWrites } from "./pending-writes.ts";
import { RememberedUsers } from "./remembered-users.ts";
import type { Replication } from "./replication.ts";
import type { SendQueue } from "./send-queue.ts";
import { partsOfSharedKey, type SharedLimits } from "./shared-limits.ts";
import { type SlowReader, SlowReaders } from "./slow-readers.ts";
import type { UpgradeRefusal } from "./socket.ts";
import type { Telemetry } from "./telemetry.ts";
import { Ticker } from "./ticker.ts";
import { TURN_MS, TurnBudget } from "./turn-budget.ts";
import { TurnQuota } from "./turn-quota.ts";

export interface GatewayNodeOptions {
  readonly apps: readonly App[];
  readonly limits: GatewayConfig;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly nodeId: string;
  readonly makeId: () => string;
  /** A number in [0, 1), for delays that should differ. */
  readonly random: () => number;
  /** Bytes of memory that this process may use; undefined: no limit. */
  readonly memoryLimit?: number | undefined;
  /** Undefined: this node is the only process of its machine. */
  readonly sharedLimits?: SharedLimits | undefined;
  /** Undefined: this node is the only one. */
  readonly replication?: Replication | undefined;
  /** The frames that a reader gets in one turn of the event loop leave in one write. False: each at once. */
  readonly joinsWrites?: boolean;
}

/** A WebSocket or event stream, as the node manages its deadlines and its end. */
export interface ManagedConnection extends SlowReader {
  readonly sendQueue: SendQueue;
  /** The time set by `schedule` has come. */
  onDue(now: number): void;
  /** The wall-clock time set by `expire` has come. */
  onExpiryDue(wallNow: number): void;
  /** Apps have changed or gone: the connection ends if what let it in is not accepted any more. */
  onAppsChanged(): void;
  /** The node shuts down: the client is told so, and the connection ends after `delayMs`. */
  drain(delayMs: number): void;
}

/** The apps that a reload adds, changes and removes. */
export interface AppChanges {
  readonly added: readonly App[];
  readonly changed: readonly App[];
  /** Their ids. */
  readonly removed: readonly string[];
}

/** The same, once it is done. */
export interface ChangedApps {
  readonly added: readonly AppPresence[];
  readonly changed: readonly AppPresence[];
  readonly removed: readonly AppPresence[];
}

/**
 * Everything that one node serves: its apps, its connections, and the single timer behind all of their
 * deadlines.
 */
export class GatewayNode {
  readonly limits: GatewayConfig;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly nodeId: string;
  readonly admissions: Admissions;
  readonly newcomers: Newcomers;
  /** Fed with samples by the monitor of the process. */
  readonly loadShedder = new LoadShedder();
  /** For changes of other nodes, which affect many apps at once. */
  readonly flushBatch = new FlushBatch();
  /** The connections that send pages of long answers, in turns. */
  readonly pageTurns: PageTurns;
  /** The connections that have frames to write; undefined: each frame is written at once. */
  readonly pendingWrites: PendingWrites | undefined;
  /**
   * Deadlines of connections: `#timers` on the awake clock, `#expiries` on the wall clock, by which tokens
   * expire.
   */
  readonly #timers = new Deadlines<ManagedConnection>();
  readonly #expiries = new Deadlines<ManagedConnection>();
  readonly #presences: Map<string, AppPresence>;
  /** Apps that are served no longer, until nothing is left of them. */
  readonly #retired = new Set<AppPresence>();
  readonly #createPresence: (app: App) => AppPresence;
  readonly #connections = new Set<ManagedConnection>();
  readonly #slowReaders: SlowReaders;
  readonly #ticker: Ticker;
  readonly #random: () => number;
  readonly #replication: Replication | undefined;
  readonly #ownTableId: string;
  /** Those of apps that have gone. */
  #coalescedBefore = 0;
  #draining = false;
  readonly #onEmpty: (() => void)[] = [];

  constructor(options: GatewayNodeOptions) {
    const { apps, limits, clock, telemetry, makeId } = options;
    this.limits = limits;
    this.clock = clock;
    this.telemetry = telemetry;
    this.nodeId = options.nodeId;
    this.#random = options.random;
    this.#replication = options.replication;
    this.#ownTableId = makeId();
    this.#slowReaders = new SlowReaders(telemetry);
    const now = clock.now();
    const crashed = (error: unknown) => telemetry.crashed(error);
    this.pageTurns = new PageTurns(new TurnBudget(crashed));
    const pendingWrites = options.joinsWrites ? new PendingWrites(crashed) : undefined;
    this.pendingWrites = pendingWrites;
    const flushTurn = new TurnBudget(crashed, TURN_MS, () => pendingWrites?.isFull ?? false);
    const wakeBy = (due: number) => this.#ticker.wakeBy(due);
    const { loadShedder, flushBatch } = this;
    const rememberedUsers = new RememberedUsers(limits.maxRememberedUsers);
    const endQuota = new TurnQuota(ENDS_PER_TURN);
    const of = { limits, telemetry, makeId, clock, wakeBy, endQuota };
    const { sharedLimits } = options;
    const shared = { ...of, flushTurn, flushBatch, loadShedder, rememberedUsers, sharedLimits };
    this.#createPresence = (app) =>
      new AppPresence(app, { ...shared, replicationSink: options.replication?.sinkOf(app.id) });
    this.#presences = new Map(apps.map((app) => [app.id, this.#createPresence(app)]));
    this.admissions = new Admissions(
      {
        maxConnections: limits.maxConnections,
        maxConnectionsPerAddress: limits.maxConnectionsPerIp,
        connectsPerSecond: limits.maxConnectsPerSecond,
      },
      now,
      sharedLimits,
    );
    this.newcomers = new Newcomers(options.memoryLimit ?? Number.POSITIVE_INFINITY, limits);
    this.#ticker = new Ticker(
      clock,
      (at) => this.run(at),
      () => this.#nextDueAt(),
    );
  }

  /** Whether this node knows the sessions of all nodes. */
  get isReady(): boolean {
    return this.#replication?.isReady ?? true;
  }

  /** Whether its knowledge of other nodes may be out of date. */
  get isDegraded(): boolean {
    return this.#replication?.isDegraded ?? false;
  }

  /** Names the sessions of an app that this node shows: those that all nodes share, or its own. */
  tableIdOf(appId: string): string {
    return this.#replication?.tableIdOf(appId) ?? this.#ownTableId;
  }

  get isDraining(): boolean {
    return this.#draining;
  }

  presence(appId: string): AppPresence | undefined {
    return this.#presences.get(appId);
  }

  presences(): Iterable<AppPresence> {
    return this.#presences.values();
  }

  /**
   * Serves other apps from now on. The connections of a removed app, and those that were let in by what is
   * not accepted any more, are closed, a limited number in each turn. Nothing else changes.
   */
  changeApps({ added, changed, removed }: AppChanges): ChangedApps {
    const now = this.clock.now();
    const presences = added.map((app) => this.#createPresence(app));
    for (const presence of presences) this.#presences.set(presence.app.id, presence);
    const reconfigured = changed.map((app) => {
      const presence = this.#presences.get(app.id)!;
      presence.reconfigure(app);
      return presence;
    });
    const retired = removed.map((appId) => {
      const presence = this.#presences.get(appId)!;
      this.#presences.delete(appId);
      this.#retired.add(presence);
      this.#guard(() => presence.retire(now));
      return presence;
    });
    if (changed.length + removed.length > 0) {
      for (const connection of this.#connections) this.#guard(() => connection.onAppsChanged());
    }
    this.#ticker.wakeBy(now);
    return { added: presences, changed: reconfigured, removed: retired };
  }

  /** Number of changes that were merged into a diff with an earlier change of the same user. */
  get coalescedChanges(): number {
    let total = this.#coalescedBefore;
    for (const presence of this.#presences.values()) total += presence.coalescedChanges;
    for (const presence of this.#retired) total += presence.coalescedChanges;
    return total;
  }

  /** Whether requests that were let in for this app may still be done. */
  serves(presence: AppPresence): boolean {
    return this.#presences.get(presence.app.id) === presence;
  }

  /** The number of connections and sessions, which take most of the memory. */
  get present(): number {
    let present = this.admissions.connections;
    for (const { table } of this.#presences.values()) present += table.bucket(undefined)?.size ?? 0;
    return present;
  }

  /** Sizes of internal collections. All must be zero once every client has left. */
  debugCounts(): Record<string, number> {
    return {
      managedConnections: this.#connections.size,
      backlogged: this.#slowReaders.size,
      pageSenders: this.pageTurns.size,
      pendingWrites: this.pendingWrites?.size ?? 0,
      timers: this.#timers.size,
      expiries: this.#expiries.size,
      connections: this.admissions.connections,
      addresses: this.admissions.addresses,
      newcomers: this.newcomers.present,
      retiredApps: this.#retired.size,
    };
  }

  /** Another process has taken some of what all processes together may take in a second. */
  takenElsewhere(key: string, amount: number): void {
    const now = this.clock.now();
    const [kind, of = "", userId = ""] = partsOfSharedKey(key);
    if (kind === "connects") this.admissions.connectedElsewhere(of, amount, now);
    else if (kind === "requests") this.presence(of)?.httpRate.debit(amount, now);
    else if (kind === "messages") this.presence(of)?.takenElsewhere(userId, amount, 0, now);
    else if (kind === "bytes") this.presence(of)?.takenElsewhere(userId, 0, amount, now);
  }

  /** Admits a WebSocket or stream from an address, or says why not. */
  admit(address: string): Admitted | UpgradeRefusal {
    if (this.#draining) {
      this.telemetry.refused("draining");
      return { ok: false, status: 503, message: "this node is going down", retryAfterS: 1 };
    }
    if (!this.isReady) {
      this.telemetry.refused("starting");
      return { ok: false, status: 503, message: "this node is starting", retryAfterS: 1 };
    }
    if (this.loadShedder.isShort) {
      this.telemetry.refused("memory");
      return { ok: false, status: 503, message: "this node is short of memory", retryAfterS: 5 };
    }
    const admission = this.admissions.admit(address, this.clock.now());
    if (admission.ok) return admission;
    return this.#refuse(admission.refusal, admission.retryAfterS);
  }

  /** Admits a socket whose messages this process sees only once they are whole, or says why not. */
  admitNewcomer(address: string): Newcomer | UpgradeRefusal {
    const admission = this.newcomers.admit(address, this.clock.now());
    // Most newcomers connect within a second.
    return typeof admission === "string" ? this.#refuse(admission, 1) : admission;
  }

  #refuse(refusal: keyof typeof REFUSED, retryAfterS: number): UpgradeRefusal {
    this.telemetry.refused(refusal);
    return {
      ok: false,
      status: refusal.endsWith("_per_address") ? 429 : 503,
      message: REFUSED[refusal],
      retryAfterS,
    };
  }

  add(connection: ManagedConnection): void {
    this.#connections.add(connection);
  }

  remove(connection: ManagedConnection): void {
    this.#connections.delete(connection);
    this.#slowReaders.delete(connection);
    this.#timers.delete(connection);
    this.#expiries.delete(connection);
    if (this.#connections.size === 0) for (const resolve of this.#onEmpty.splice(0)) resolve();
  }

  /** Bytes now wait for this connection. */
  backlog(connection: ManagedConnection): void {
    this.#slowReaders.add(connection, this.clock.now());
  }

  /** Sets the single deadline of a connection: `onDue` is called at that time of the awake clock. */
  schedule(connection: ManagedConnection, due: number): void {
    // In whole milliseconds, as V8 stores other numbers outside the object.
    const at = Math.ceil(due);
    this.#timers.set(connection, at);
    this.#ticker.wakeBy(at);
  }

  /** Sets when `onExpiryDue` is called, in milliseconds since 1970; undefined: never. */
  expire(connection: ManagedConnection, wallDue: number | undefined): void {
    if (wallDue === undefined) this.#expiries.delete(connection);
    else {
      this.#expiries.set(connection, wallDue);
      this.#ticker.wakeBy(this.clock.now() + wallDue - this.clock.wallNow());
    }
  }

  /**
   * Refuses new connections, and gives each connection a delay of its own, spread over `overMs`, after which
   * it is ended. Resolves once the last one has gone. A second call shortens the delays.
   */
  async drain(overMs = this.limits.drainMs): Promise<void> {
    this.#draining = true;
    const connections = [...this.#connections];
    const order = connections
      .map((connection) => ({ connection, at: this.#random() }))
      .sort((a, b) => a.at - b.at);
    // In slots of whole milliseconds, so that all delays differ where there are enough milliseconds.
    const slotAt = (i: number) => Math.floor((i * overMs) / connections.length);
    for (const [i, { connection }] of order.entries()) {
      const from = slotAt(i);
      const delayMs = from + Math.floor(this.#random() * (slotAt(i + 1) - from));
      this.#guard(() => connection.drain(delayMs));
    }
    await this.#whenEmpty();
  }

  /** Resolves once there are no connections. */
  #whenEmpty(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#connections.size === 0) resolve();
      else this.#onEmpty.push(resolve);
    });
  }

  stop(): void {
    this.#ticker.stop();
  }

  /**
   * Does what is due. Called by the ticker, and again soon if much is due at once. A test with a clock of its
   * own may call it too.
   */
  run(now: number): void {
    for (const presence of this.#presences.values()) {
      if (presence.nextDueAt() <= now) this.#guard(() => presence.run(now));
    }
    this.#runRetired(now);
    this.#timers.forEachDue(now, MAX_DUE_PER_TURN, (connection) => this.#guard(() => connection.onDue(now)));
    const wallNow = this.clock.wallNow();
    this.#expiries.forEachDue(wallNow, MAX_DUE_PER_TURN, (connection) =>
      this.#guard(() => connection.onExpiryDue(wallNow)),
    );
    this.#slowReaders.check(now);
  }

  #runRetired(now: number): void {
    for (const presence of this.#retired) {
      if (presence.nextDueAt() <= now) this.#guard(() => presence.run(now));
      if (!presence.isGone) continue;
      this.#retired.delete(presence);
      this.#coalescedBefore += presence.coalescedChanges;
      this.#guard(() => presence.forget(now));
    }
  }

  /** A defect in one app or connection must not stop the others. */
  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.telemetry.crashed(error);
    }
  }

  #nextDueAt(): number | undefined {
    const expiry = this.#expiries.nextDueAt() ?? Number.POSITIVE_INFINITY;
    const expiryIn = expiry - this.clock.wallNow();
    let next = Math.min(this.#timers.nextDueAt() ?? Number.POSITIVE_INFINITY, this.clock.now() + expiryIn);
    for (const presence of this.#presences.values()) next = Math.min(next, presence.nextDueAt());
    for (const presence of this.#retired) next = Math.min(next, presence.nextDueAt());
    return next;
  }
}

const REFUSED = {
  connections: "this node has all the connections that it can take",
  connections_per_address: "too many connections from this address",
  connect_rate: "too many new connections a second",
  newcomers: "too many sockets have not connected yet",
  newcomers_per_address: "too many sockets from this address have not connected yet",
} as const;
