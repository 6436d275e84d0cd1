import { setTimeout as delay } from "node:timers/promises";
import { mintToken } from "../../../src/server/auth/mint.ts";
import { WireClient } from "../wire-client.ts";
import type { ClusterNode } from "./cluster-node.ts";
import { APP, type NodesWorld, SECRET } from "./nodes-world.ts";

const TABS = 5;

interface Tab {
  readonly client: WireClient;
  readonly sessionId: string;
  readonly node: ClusterNode;
}

/** Users with several tabs, each on any node. Each user must enter once and leave once. */
export class Tabs {
  readonly #world: NodesWorld;
  /** Per user, how often each interface has seen it enter and leave. */
  readonly #seen = new Map<string, Map<string, { joins: number; leaves: number }>>();
  visits = 0;
  sightings = 0;

  constructor(world: NodesWorld) {
    this.#world = world;
    for (const { name, observer } of world.doors) {
      observer.onPresence = (userId, isThere) => {
        const counts = this.#seen.get(userId)?.get(name);
        if (counts !== undefined) counts[isThere ? "joins" : "leaves"]++;
      };
    }
  }

  async visit(): Promise<void> {
    const userId = this.#world.visitor("tabs");
    const { random } = this.#world;
    // Only calm nodes deliver changes in order, so only they can be checked.
    const calm = this.#world.doors.filter(({ node }) => node.isCalm);
    const doors = new Map(calm.map(({ name }) => [name, { joins: 0, leaves: 0 }]));
    this.#seen.set(userId, doors);
    const token = await mintToken(APP, SECRET, { tokenType: "user", sub: userId });
    const tabs: Tab[] = [await this.#open(userId, token)];
    // Every node knows the first tab before there are others.
    await delay(random.between(100, 500));
    tabs.push(...(await Promise.all(Array.from({ length: TABS - 1 }, () => this.#open(userId, token)))));
    await delay(random.between(50, 800));
    await Promise.all(
      random.shuffle(tabs).map(async (tab) => {
        await delay(random.between(0, 1_500));
        this.#close(userId, tab);
      }),
    );
    for (const { name, node } of this.#world.doors) if (!node.isCalm) doors.delete(name);
    if (!tabs.every(({ node }) => node.isCalm)) doors.clear();
  }

  /** At a quiet point: each visitor was seen to enter once and leave once, or was not seen at all. */
  check(): void {
    for (const [userId, doors] of this.#seen) {
      this.visits++;
      for (const { name, node } of this.#world.doors) {
        const { joins, leaves } = doors.get(name) ?? { joins: 0, leaves: 0 };
        this.sightings += joins;
        if (joins !== leaves || joins > 1) {
          const what = `${name}: a user with ${TABS} tabs entered ${joins} times and left ${leaves} times`;
          node.oracle.violated("I3", Date.now(), userId, what);
        }
      }
    }
    this.#seen.clear();
  }

  async #open(userId: string, token: string): Promise<Tab> {
    const node = this.#world.random.pick(this.#world.wellNodes);
    const client = await WireClient.connect(node.gateway.url, APP, token);
    const { sessionId } = await client.ask({ type: "open", kind: "widget" });
    if (sessionId === undefined) throw new Error("not opened");
    this.#world.holds(node, userId, [sessionId], Date.now());
    client.onClose = () => this.#world.loses(userId, Date.now(), "a tab has lost its connection");
    return { client, sessionId, node };
  }

  #close(userId: string, { client, sessionId, node }: Tab): void {
    if (!client.isOpen) return;
    client.onClose = undefined;
    this.#world.ends(node, userId, sessionId);
    client.close();
  }
}
