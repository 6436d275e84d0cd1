import { Deadlines } from "../../core/collections/deadlines.ts";
import type { App } from "../auth/app.ts";
import type { Clock } from "../clock.ts";
import { Admissions, type Admitted } from "./admission.ts";
import type { Replication } from "./journal.ts";
import { type Limits, MAX_DUE_PER_TURN, STALL_MS } from "./limits.ts";
import { MemoryGate } from "./memory-gate.ts";
import { type Newcomer, Newcomers } from "./newcomers.ts";
import type { Outbox } from "./outbox.ts";
import { PageTurns } from "./page-turns.ts";
import type { UpgradeRefusal } from "./socket.ts";
import type { Telemetry } from "./telemetry.ts";
import { Tenant } from "./tenant.ts";
import { Ticker } from "./ticker.ts";
import { TurnBudget } from "./turn-budget.ts";

export interface HubOptions {
  readonly apps: readonly App[];
  readonly limits: Limits;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly nodeId: string;
  readonly makeId: () => string;
  /** A number in [0, 1), for delays that should differ. */
  readonly random: () => number;
  /** Bytes that this process may use; undefined: as many as it likes. */
  readonly memoryLimit?: number | undefined;
  /** undefined: this node is the only one. */
  readonly replication?: Replication | undefined;
}

/** A connection or stream, as far as time and its end concern it. */
export interface Peer {
  readonly outbox: Outbox;
  /** A time that was set for it by `schedule` has come. */
  onDue(now: number): void;
  /** A wall-clock time that was set for it by `expire` has come. */
  onExpiryDue(wallNow: number): void;
  /** The reader has taken none of its waiting bytes for `STALL_MS`. */
  onStall(): void;
  /** The node goes down: the peer is told so, and is ended after `delayMs`. */
  drain(delayMs: number): void;
}

interface Stall {
  progress: number;
  since: number;
}

const STALL_CHECK_MS = 1_000;

/** Everything that one node serves: its tenants, its peers, and the one timer behind all of their deadlines. */
export class Hub {
  readonly limits: Limits;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly nodeId: string;
  readonly admissions: Admissions;
  readonly newcomers: Newcomers;
  /** Whoever watches the process tells it. */
  readonly memory = new MemoryGate();
  /** Who sends pages of long answers, in turns. */
  readonly pageTurns: PageTurns;
  /** Deadlines of peers on the awake clock, and on the wall clock for what tokens say. */
  readonly #timers = new Deadlines<Peer>();
  readonly #expiries = new Deadlines<Peer>();
  readonly #tenants: ReadonlyMap<string, Tenant>;
  readonly #peers = new Set<Peer>();
  readonly #backlogged = new Map<Peer, Stall>();
  readonly #ticker: Ticker;
  readonly #random: () => number;
  readonly #replication: Replication | undefined;
  #stallCheckAt = 0;
  #draining = false;
  readonly #onEmpty: (() => void)[] = [];

  constructor(options: HubOptions) {
    const { apps, limits, clock, telemetry, makeId } = options;
    this.limits = limits;
    this.clock = clock;
    this.telemetry = telemetry;
    this.nodeId = options.nodeId;
    this.#random = options.random;
    this.#replication = options.replication;
    const now = clock.now();
    const crashed = (error: unknown) => telemetry.crashed(error);
    this.pageTurns = new PageTurns(new TurnBudget(crashed));
    const flushTurn = new TurnBudget(crashed);
    const wakeBy = (due: number) => this.#ticker.wakeBy(due);
    const shared = { limits, telemetry, makeId, clock, wakeBy, flushTurn, memory: this.memory };
    this.#tenants = new Map(
      apps.map((app) => {
        return [app.id, new Tenant(app, { ...shared, journal: options.replication?.journal(app.id) })];
      }),
    );
    this.admissions = new Admissions(
      {
        maxConnections: limits.maxConnections,
        maxConnectionsPerAddress: limits.maxConnectionsPerIp,
        connectsPerSecond: limits.maxConnectsPerSecond,
      },
      now,
    );
    this.newcomers = new Newcomers(options.memoryLimit ?? Number.POSITIVE_INFINITY, limits);
    this.#ticker = new Ticker(
      clock,
      (at) => this.run(at),
      () => this.#next(),
    );
  }

  /** Whether this node knows what it is asked for. */
  get isReady(): boolean {
    return this.#replication?.isReady ?? true;
  }

  /** Whether what it knows of other nodes may be old. */
  get isDegraded(): boolean {
    return this.#replication?.isDegraded ?? false;
  }

  get isDraining(): boolean {
    return this.#draining;
  }

  tenant(appId: string): Tenant | undefined {
    return this.#tenants.get(appId);
  }

  tenants(): Iterable<Tenant> {
    return this.#tenants.values();
  }

  /** Connections and sessions: what memory goes to. */
  get present(): number {
    let present = this.admissions.connections;
    for (const { table } of this.#tenants.values()) present += table.counts().sessions;
    return present;
  }

  /** Numbers that must all be zero when everybody has left. */
  leftovers(): Record<string, number> {
    return {
      peers: this.#peers.size,
      backlogged: this.#backlogged.size,
      pageSenders: this.pageTurns.size,
      timers: this.#timers.size,
      expiries: this.#expiries.size,
      connections: this.admissions.connections,
      addresses: this.admissions.addresses,
      newcomers: this.newcomers.present,
    };
  }

  /** Lets in a connection or stream from an address, or says why not. */
  admit(address: string): Admitted | UpgradeRefusal {
    if (this.#draining) {
      this.telemetry.refused("draining");
      return { ok: false, status: 503, message: "this node is going down", retryAfterS: 1 };
    }
    if (!this.isReady) {
      this.telemetry.refused("starting");
      return { ok: false, status: 503, message: "this node is starting", retryAfterS: 1 };
    }
    if (this.memory.isShort) {
      this.telemetry.refused("memory");
      return { ok: false, status: 503, message: "this node is short of memory", retryAfterS: 5 };
    }
    const admission = this.admissions.admit(address, this.clock.now());
    if (admission.ok) return admission;
    return this.#refuse(admission.refusal, admission.retryAfterS);
  }

  /** Lets in a socket of which we do not see what it sends before it is whole, or says why not. */
  admitNewcomer(address: string): Newcomer | UpgradeRefusal {
    const admission = this.newcomers.admit(address, this.clock.now());
    // Most of those who are there have connected within a second.
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

  add(peer: Peer): void {
    this.#peers.add(peer);
  }

  remove(peer: Peer): void {
    this.#peers.delete(peer);
    this.#backlogged.delete(peer);
    this.#timers.delete(peer);
    this.#expiries.delete(peer);
    if (this.#peers.size === 0) for (const resolve of this.#onEmpty.splice(0)) resolve();
  }

  /** Bytes have begun to wait for this peer. */
  backlog(peer: Peer): void {
    if (!this.#backlogged.has(peer)) {
      this.#backlogged.set(peer, { progress: peer.outbox.progress, since: this.clock.now() });
    }
  }

  /** Sets the one deadline of a peer: `onDue` will be called at that time of the awake clock. */
  schedule(peer: Peer, due: number): void {
    this.#timers.set(peer, due);
    this.#ticker.wakeBy(due);
  }

  /** Sets when `onExpiryDue` will be called, by the wall clock; undefined: never. */
  expire(peer: Peer, wallDue: number | undefined): void {
    if (wallDue === undefined) this.#expiries.delete(peer);
    else {
      this.#expiries.set(peer, wallDue);
      this.#ticker.wakeBy(this.clock.now() + wallDue - this.clock.wallNow());
    }
  }

  /**
   * Lets nobody in any more and tells every peer a delay of its own, spread over `overMs`, after which it is ended.
   * Resolves when the last has gone. Called again, it makes the rest shorter.
   */
  async drain(overMs = this.limits.drainMs): Promise<void> {
    this.#draining = true;
    const peers = [...this.#peers];
    const order = peers.map((peer) => ({ peer, at: this.#random() })).sort((a, b) => a.at - b.at);
    // In slots of whole milliseconds: no two delays are the same where there are enough of them.
    const slotAt = (i: number) => Math.floor((i * overMs) / peers.length);
    for (const [i, { peer }] of order.entries()) {
      const from = slotAt(i);
      peer.drain(from + Math.floor(this.#random() * (slotAt(i + 1) - from)));
    }
    await this.#empty();
  }

  /** Resolves when there is no peer any more. */
  #empty(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#peers.size === 0) resolve();
      else this.#onEmpty.push(resolve);
    });
  }

  stop(): void {
    this.#ticker.stop();
  }

  /**
   * Does what is due. The ticker calls it, and calls it again soon if much was due at once; a test with a clock of its own
   * may call it too.
   */
  run(now: number): void {
    for (const tenant of this.#tenants.values()) {
      if (tenant.next() <= now) this.#guard(() => tenant.run(now));
    }
    this.#timers.forEachDue(now, MAX_DUE_PER_TURN, (peer) => this.#guard(() => peer.onDue(now)));
    const wallNow = this.clock.wallNow();
    this.#expiries.forEachDue(wallNow, MAX_DUE_PER_TURN, (peer) =>
      this.#guard(() => peer.onExpiryDue(wallNow)),
    );
    if (now >= this.#stallCheckAt) {
      this.#stallCheckAt = now + STALL_CHECK_MS;
      this.#checkStalls(now);
    }
  }

  /** A defect that shows with one tenant or peer is not to stop the others. */
  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.telemetry.crashed(error);
    }
  }

  #next(): number | undefined {
    const expiry = this.#expiries.next() ?? Number.POSITIVE_INFINITY;
    const expiryIn = expiry - this.clock.wallNow();
    let next = Math.min(this.#timers.next() ?? Number.POSITIVE_INFINITY, this.clock.now() + expiryIn);
    for (const tenant of this.#tenants.values()) next = Math.min(next, tenant.next());
    return next;
  }

  #checkStalls(now: number): void {
    for (const [peer, stall] of this.#backlogged) {
      const { buffered, progress } = peer.outbox;
      if (buffered === 0) {
        this.#backlogged.delete(peer);
        // Transports tell of this, but should one fail to, nobody is to wait for ever.
        this.#guard(() => peer.outbox.drained());
      } else if (progress !== stall.progress) {
        stall.progress = progress;
        stall.since = now;
      } else if (now - stall.since >= STALL_MS) {
        this.#backlogged.delete(peer);
        this.telemetry.cut++;
        this.telemetry.refused("slow_reader");
        this.#guard(() => peer.onStall());
      }
    }
  }
}

const REFUSED = {
  connections: "this node has all the connections that it can take",
  connections_per_address: "too many connections from this address",
  connect_rate: "too many new connections a second",
  newcomers: "too many sockets have not connected yet",
  newcomers_per_address: "too many sockets from this address have not connected yet",
} as const;
