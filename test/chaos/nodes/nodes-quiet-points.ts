import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { keysOf } from "../../../src/server/cluster/redis-scripts.ts";
import { EVERYTHING } from "../app-under-chaos.ts";
import type { ExpectedSession } from "../oracle.ts";
import { type Result, rowsOf } from "../result.ts";
import { checkStatuses } from "../status-checks.ts";
import { TIMES } from "../times.ts";
import type { ClusterNode } from "./cluster-node.ts";
import { APP, MARK, type NodesWorld, SECRET } from "./nodes-world.ts";
import type { Tabs } from "./tabs.ts";

/** The SDK waits up to half a minute between attempts, and on a busy machine some attempts fail. */
const LONGEST_RETURN_MS = 150_000;
const FILTERS = [
  { selectedConversationId: "c1" },
  { hasFocus: true, includeBackgroundSessions: true },
  { status: ["away", "busy", "dnd"], fields: [] },
  { selectedConversationId: null, custom: { mark: MARK }, fields: ["custom"] },
] as const;

/**
 * Points at which nothing changes on any node, so that the results of every interface of every node can be
 * compared.
 */
export class NodesQuietPoints {
  readonly #world: NodesWorld;
  readonly #tabs: Tabs;
  readonly #print: (line: string) => void;
  count = 0;
  #found = 0;

  constructor(world: NodesWorld, tabs: Tabs, print: (line: string) => void) {
    this.#world = world;
    this.#tabs = tabs;
    this.#print = print;
  }

  async reach(name: string): Promise<void> {
    const world = this.#world;
    for (const slot of world.slots) {
      if (slot.crowd.isDead) world.revive(slot);
      slot.crowd.order({ kind: "rest" });
    }
    const startedAt = Date.now();
    for (const node of world.nodes) {
      await node.reaches("ready").catch(() => node.oracle.crashed(`${node.name} is not ready`, Date.now()));
    }
    const readyMs = Date.now() - startedAt;
    // Until then a node may hold back the end of a session that it has heard of nothing else.
    await delay(Math.max(0, world.effectsUntil - Date.now()));
    const bots = await world.statuses.rest();
    let expected = await this.#allBack(startedAt);
    for (let round = 0; round < 5; round++) {
      await delay(Math.max(world.effectsUntil, Date.now() + TIMES.windowMs + 1_200) - Date.now());
      const again = await this.#allBack(startedAt);
      const isSame = isDeepStrictEqual([...again], [...expected]);
      expected = again;
      if (isSame) break;
    }
    const results = await Promise.all(world.nodes.map((node) => query(node, EVERYTHING)));
    const hidden = await this.#checkStatuses(results[0]!);
    const all = new Map([...expected, ...bots]);
    const visible = new Map([...all].filter(([userId]) => !hidden.has(userId)));
    for (const [i, node] of world.nodes.entries()) await this.#look(node, results[i]!, results[0]!, visible);
    await this.#lookIntoRedis(all);
    this.#tabs.check();
    for (const node of world.nodes) node.strandedAt = undefined;
    this.count++;
    const found = world.violations.length - this.#found;
    this.#found += found;
    const sessions = [...all.values()].flat().length;
    this.#print(
      `quiet point ${this.count} (${name}): ${sessions} sessions on ${world.nodes.length} nodes, ` +
        `${world.statuses.changes} statuses so far, ` +
        `ready after ${(readyMs / 1000).toFixed(1)} s, ${found === 0 ? "all agree" : `${found} VIOLATIONS`}`,
    );
  }

  /** All nodes give each user the same status, and it is the last one. Resolves with the invisible users. */
  #checkStatuses(result: Result): Promise<ReadonlySet<string>> {
    const { nodes, statuses } = this.#world;
    const places = nodes.map(({ name, oracle, gateway }) => ({
      oracle,
      name,
      get: (path: string) => gateway.get(`/v1/${APP}${path}`, SECRET),
    }));
    return checkStatuses(places, statuses, result);
  }

  /** Every interface of a node, compared with the clients and with the first node. */
  async #look(
    node: ClusterNode,
    result: Result,
    first: Result,
    expected: ReadonlyMap<string, readonly ExpectedSession[]>,
  ): Promise<void> {
    const { oracle, gateway, name } = node;
    const at = Date.now();
    oracle.quiet(result, expected, at);
    oracle.compare(`${name}, beside the first node`, result, first, at);
    for (const door of this.#world.doors) if (door.node === node) door.observer.compare(result, at);
    for (const filter of FILTERS) {
      const [here, there] = [await query(node, filter), await query(this.#world.nodes[0]!, filter)];
      oracle.compare(`${name}, asked for ${JSON.stringify(filter)}`, here, there, at);
    }
    const stats = JSON.parse((await gateway.get(`/v1/${APP}/stats`, SECRET)).text);
    const counted = await gateway.count(APP, SECRET, EVERYTHING);
    if (counted !== expected.size)
      oracle.violated("I4", at, undefined, `${name} counts ${counted} users, not ${expected.size}`);
    const counts = { users: expected.size, sessions: [...expected.values()].flat().length };
    for (const [what, count] of Object.entries(counts))
      if (stats[what] !== count)
        oracle.violated("I4", at, undefined, `${name} counts ${stats[what]} ${what}, not ${count}`);
    const [userId] = expected.keys();
    const path = `/v1/${APP}/users/${encodeURIComponent(userId ?? "nobody")}/sessions`;
    const sessions = JSON.parse((await gateway.get(path, SECRET)).text).length;
    const shown = rowsOf(first[userId ?? ""] ?? { widgets: [], backgroundSessions: [] }).length;
    if (sessions !== shown)
      oracle.violated("I4", at, userId, `${name} reports ${sessions} sessions, not ${shown}`);
  }

  /** Redis keeps a row for each session, and no other row. */
  async #lookIntoRedis(expected: ReadonlyMap<string, readonly ExpectedSession[]>): Promise<void> {
    const { redis, nodes } = this.#world;
    const rows = (await redis.ask("HKEYS", keysOf(0).rows)) as string[];
    const sessions = [...expected.values()].flat().map(({ sessionId }) => sessionId);
    if (!isDeepStrictEqual(rows.toSorted(), sessions.toSorted()))
      nodes[0]!.oracle.violated(
        "I1",
        Date.now(),
        undefined,
        `Redis has ${rows.length} rows for ${sessions.length} sessions`,
      );
  }

  /** The sessions of the clients, once all of them have everything that they want. */
  async #allBack(startedAt: number): Promise<Map<string, ExpectedSession[]>> {
    for (;;) {
      const reports = await Promise.all(this.#world.slots.map(({ crowd }) => crowd.report()));
      const users = reports.flatMap((report) => report ?? []);
      const isLate = Date.now() > startedAt + LONGEST_RETURN_MS;
      if (isLate) this.#world.nodes[0]!.oracle.crashed("clients of the SDK do not come back", Date.now());
      if (isLate || !reports.includes(undefined)) {
        return new Map(
          users.map(({ userId, sessions }) => [
            userId,
            sessions.map(({ sessionId, n, conversation, focus }) => ({
              sessionId,
              fields: {
                selectedConversationId: conversation,
                hasFocus: focus,
                isTyping: false,
                custom: { mark: MARK, ...(n !== "" && { n }) },
              },
            })),
          ]),
        );
      }
      await delay(100);
    }
  }
}

function query(node: ClusterNode, filter: object): Promise<Result> {
  return node.gateway.query(APP, SECRET, filter);
}
