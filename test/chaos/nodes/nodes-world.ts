import { mintToken } from "../../../src/server/auth/mint.ts";
import { TcpProxy } from "../../support/proxy.ts";
import { Random } from "../../support/random.ts";
import { EVERYTHING } from "../app-under-chaos.ts";
import { Crowd } from "../crowd.ts";
import { watchOwnTimers, watchWaits } from "../lateness.ts";
import type { Observer } from "../observer.ts";
import { Observing } from "../observing.ts";
import type { ChaosOracle, Violation } from "../oracle.ts";
import { type StatusPlace, StatusUsers } from "../status-users.ts";
import { SLACK_MS, TIMES } from "../times.ts";
import { ClusterNode } from "./cluster-node.ts";
import { RedisUnderTest } from "./redis-under-test.ts";
import { StreamObserving } from "./stream-observing.ts";

export const APP = "app";
export const SECRET = "chaos-canary-secret-of-the-cluster-0123456789";
export const MARK = "mark-of-app";
export const LEASE_MS = 2_000;
/** Maximum age of the last heartbeat of a node that becomes silent. */
const BEAT_MS = 1_000;
const USERS = 8;
/** How many of them declare statuses. */
const STATUS_USERS = 3;
/** By contract, all nodes agree after this time without faults. */
const AGREED_MS = 5_000;
/** One second, and extra time for a busy machine. */
const AT_ONCE_MS = 2_000;

export interface NodesOptions {
  readonly nodes: number;
  readonly seed: number;
  readonly transport: "ws" | "uws" | undefined;
}

/** Users of the SDK in another process, which use one node and can be moved to another. */
export interface Slot {
  readonly name: string;
  readonly proxy: TcpProxy;
  crowd: Crowd;
  node: ClusterNode;
  isBusy: boolean;
}

/** An observer of all users on one node. */
export interface Door {
  readonly name: string;
  readonly node: ClusterNode;
  readonly observer: Observer;
  /** Its connection is lost. */
  drop(): void;
  end(): void;
}

/** The system under chaos: nodes that share a Redis, their clients, and their observers. */
export class NodesWorld {
  readonly random: Random;
  readonly redis: RedisUnderTest;
  readonly nodes: readonly ClusterNode[];
  readonly slots: Slot[] = [];
  readonly doors: Door[] = [];
  readonly events = new Map<string, number>();
  readonly appToken: string;
  statuses!: StatusUsers;
  /** The node of each session at its last confirmation. */
  readonly #places = new Map<string, ClusterNode>();
  /** When the effects of all faults so far are over. */
  effectsUntil = 0;
  #visitors = 0;
  readonly #watches: readonly NodeJS.Timeout[];

  private constructor(options: NodesOptions, redis: RedisUnderTest, nodes: ClusterNode[], appToken: string) {
    this.random = new Random(options.seed);
    this.redis = redis;
    this.nodes = nodes;
    this.appToken = appToken;
    const late = (ms: number) => this.tell((oracle) => oracle.machineWasLate(ms, Date.now()));
    this.#watches = [
      watchOwnTimers(late),
      ...nodes.map(({ gateway }) => watchWaits(() => gateway.pid, late)),
    ];
  }

  static async start(options: NodesOptions): Promise<NodesWorld> {
    const redis = await RedisUnderTest.start();
    const nodes: ClusterNode[] = [];
    for (let i = 0; i < options.nodes; i++) {
      const env = {
        TRANSPORT: options.transport ?? (i % 2 === 0 ? "uws" : "ws"),
        APPS: JSON.stringify([{ id: APP, secrets: [SECRET] }]),
        NODE_LEASE_MS: String(LEASE_MS),
        RESUME_WINDOW_MS: String(TIMES.windowMs),
        HEARTBEAT_INTERVAL_MS: String(TIMES.heartbeatMs),
        TYPING_TIMEOUT_MS: String(TIMES.typingMs),
        DRAIN_MS: String(TIMES.drainMs),
      };
      const name = `node ${i + 1}`;
      nodes.push(await ClusterNode.start({ name, redisPort: redis.address.port, env, canaries: [SECRET] }));
    }
    return new NodesWorld(options, redis, nodes, await mintToken(APP, SECRET, { tokenType: "app" }));
  }

  async populate(): Promise<void> {
    for (const node of this.nodes) {
      const proxy = await TcpProxy.start(node.gateway.port);
      const name = `crowd of ${node.name}`;
      const userIds = Array.from({ length: USERS }, (_, i) => `user ${i} of ${node.name}`);
      const slot = { name, proxy, node, isBusy: false } as Slot;
      slot.crowd = this.#crowd(slot, userIds);
      this.slots.push(slot);
      const url = () => node.gateway.url;
      const socket = node.oracle.observer(`a socket on ${node.name}`, true);
      const observing = new Observing(socket, EVERYTHING, url, APP, this.appToken);
      const stream = node.oracle.observer(`a stream on ${node.name}`, true);
      const streaming = new StreamObserving(stream, url, APP, SECRET);
      for (const each of [observing, streaming]) {
        const { observer } = each;
        this.doors.push({
          node,
          observer,
          name: observer.name,
          drop: () => each.drop(),
          end: () => each.end(),
        });
      }
    }
    const placeOf = (node: ClusterNode): StatusPlace => ({
      name: node.name,
      url: node.gateway.url,
      isHeard: node.isWell && node.isCalm,
    });
    this.statuses = new StatusUsers({
      appId: APP,
      secret: SECRET,
      mark: MARK,
      random: this.random,
      onlineIds: this.slots.flatMap(({ crowd }) => crowd.userIds.slice(0, STATUS_USERS)),
      place: () => placeOf(this.random.pick(this.nodes)),
      wellPlace: () => placeOf(this.random.pick(this.wellNodes)),
      record: (userId, text) => this.tell((oracle) => oracle.record(Date.now(), userId, text)),
    });
    this.tell((oracle) => oracle.mayRecur(this.statuses.botSessionIds));
  }

  async dispose(): Promise<void> {
    for (const watch of this.#watches) clearInterval(watch);
    for (const door of this.doors) door.end();
    for (const { crowd, proxy } of this.slots) {
      if (!crowd.isDead) crowd.kill();
      await proxy.stop();
    }
    await Promise.all(this.nodes.map((node) => node.dispose()));
    await this.redis.dispose();
  }

  get wellNodes(): readonly ClusterNode[] {
    return this.nodes.filter(({ isWell }) => isWell);
  }

  get violations(): { readonly violation: Violation; readonly history: readonly string[] }[] {
    return this.nodes.flatMap(({ name, oracle }) =>
      oracle.violations.map((violation) => ({
        violation: { ...violation, what: `${name}: ${violation.what}` },
        history: before(oracle.history(violation.userId, Number.POSITIVE_INFINITY), violation.what),
      })),
    );
  }

  visitor(kind: string): string {
    return `${kind}-${++this.#visitors}`;
  }

  count(name: string): void {
    this.events.set(name, (this.events.get(name) ?? 0) + 1);
    this.record(name);
  }

  record(text: string): void {
    this.tell((oracle) => oracle.record(Date.now(), undefined, text));
  }

  tell(print: (oracle: ChaosOracle, node: ClusterNode) => void): void {
    for (const node of this.nodes) print(node.oracle, node);
  }

  extendEffects(ms: number): void {
    this.effectsUntil = Math.max(this.effectsUntil, Date.now() + ms);
  }

  /** A client on a node has just received a confirmation of these sessions. */
  holds(node: ClusterNode, userId: string, sessionIds: readonly string[], at: number): void {
    const moved = sessionIds.filter((id) => this.#places.has(id) && this.#places.get(id) !== node);
    for (const sessionId of sessionIds) this.#places.set(sessionId, node);
    this.tell((oracle) => oracle.holds(userId, sessionIds, at));
    // Nodes that cannot hear of each other count takeovers apart. If a client goes from one to another and on
    // to a third, the log may later decide for the second, whose socket is gone.
    if (this.nodes.every(({ isCalm }) => !isCalm))
      for (const sessionId of moved) this.tell((oracle) => oracle.strand(sessionId, at));
    if (node.strandedAt !== undefined) this.#strandOn(node, sessionIds);
  }

  /** A client has lost its connection, or was killed. */
  loses(userId: string, at: number, why: string): void {
    this.tell((oracle) => {
      oracle.record(at, userId, why);
      oracle.mayLeave(userId, at + TIMES.windowMs);
    });
  }

  /** The node becomes silent. After a lease others may consider it dead. */
  strand(node: ClusterNode): void {
    node.strandedAt = Date.now();
    const there = [...this.#places].filter(([, place]) => place === node).map(([sessionId]) => sessionId);
    this.#strandOn(node, there);
  }

  /** The node is about to be killed. */
  dies(node: ClusterNode): void {
    this.statuses.oracle.died(node.name, Date.now());
  }

  /**
   * The node is dead for good. Its clients that do not move elsewhere leave after the lease and the window.
   */
  bury(node: ClusterNode, userIds: readonly string[]): void {
    const at = Date.now();
    const by = at + LEASE_MS + TIMES.windowMs + SLACK_MS;
    for (const userId of userIds) this.tell((oracle) => oracle.mayLeave(userId, at + TIMES.windowMs, by));
    this.record(`${node.name} is dead`);
    this.extendEffects(LEASE_MS + TIMES.windowMs + SLACK_MS);
  }

  /** The client closed its session. If the node stops at the same time, the close may be lost. */
  ends(node: ClusterNode, userId: string, sessionId: string): void {
    const at = Date.now();
    const isHeard = node.isWell && this.nodes.every((each) => each.isCalm);
    const by = isHeard ? at + AT_ONCE_MS : Number.POSITIVE_INFINITY;
    this.tell((oracle) => {
      oracle.record(at, userId, `ended ${sessionId}`);
      oracle.mayEnd(sessionId, at, by);
    });
  }

  /**
   * For this long these nodes may lack changes of others. A session that did not leave in time is found only
   * at the next quiet point.
   */
  disturb(ms: number, nodes = this.nodes): void {
    const until = Date.now() + ms + AGREED_MS;
    for (const node of nodes) node.calmFrom = Math.max(node.calmFrom, until);
    this.tell((oracle) => oracle.postpone(Number.POSITIVE_INFINITY));
    this.extendEffects(ms + AGREED_MS);
  }

  /** From now on the users of a slot use another node. */
  send(slot: Slot, node: ClusterNode): void {
    slot.node = node;
    slot.proxy.retarget(node.gateway.port);
  }

  revive(slot: Slot): void {
    slot.crowd = this.#crowd(slot, slot.crowd.userIds);
  }

  #strandOn(node: ClusterNode, sessionIds: readonly string[]): void {
    const from = node.strandedAt! + LEASE_MS - BEAT_MS + TIMES.windowMs;
    this.tell((oracle, other) => {
      if (other !== node) for (const sessionId of sessionIds) oracle.strand(sessionId, from);
    });
  }

  #crowd(slot: Slot, userIds: readonly string[]): Crowd {
    return new Crowd(
      {
        url: `http://127.0.0.1:${slot.proxy.port}`,
        appId: APP,
        secret: SECRET,
        mark: MARK,
        userIds,
        seed: this.random.below(2 ** 31),
        actEveryMs: 25,
        tokenSeconds: 600,
      },
      {
        lost: (userId, at) => this.loses(userId, at, "its client has lost its connection"),
        holds: (userId, ids, at) => this.holds(slot.node, userId, ids, at),
        late: (ms, at) => this.tell((oracle) => oracle.machineWasLate(ms, at)),
      },
    );
  }
}

/** The events that led to it. */
function before(history: readonly string[], what: string): string[] {
  const end = history.findIndex((line) => line.includes(what));
  return history.slice(Math.max(0, end - 50), end + 1);
}
