import { setTimeout as delay } from "node:timers/promises";
import { SLACK_MS, TIMES } from "../times.ts";
import type { ClusterNode } from "./cluster-node.ts";
import { LEASE_MS, type NodesWorld, type Slot } from "./nodes-world.ts";

/** What happens to one node while the others serve on. Undefined: there is none that it may happen to. */
export class NodeFaults {
  readonly #world: NodesWorld;
  readonly #previous: string | undefined;

  /** `previous`: the program of the build before this one, if there is one. */
  constructor(world: NodesWorld, previous: string | undefined) {
    this.#world = world;
    this.#previous = previous;
  }

  /** Its clients go on elsewhere; or are killed with it, all of them, and come back later as new ones. */
  kill(takesClients: boolean): Promise<void> | undefined {
    return this.#withNode(async (node) => {
      const slots = this.#slotsOf(node).filter(({ isBusy }) => !isBusy);
      if (takesClients) {
        for (const { crowd } of slots) crowd.kill();
        this.#world.bury(
          node,
          slots.flatMap(({ crowd }) => crowd.userIds),
        );
      }
      this.#sendAway(node);
      await node.gateway.end("SIGKILL");
      await delay(this.#world.random.between(200, LEASE_MS + TIMES.windowMs));
      await node.start();
      if (takesClients) for (const slot of slots) this.#world.revive(slot);
    });
  }

  /** It stands still, with its connections. `isNoticed`: new ones do not come to it. */
  stop(ms: number, isNoticed: boolean): Promise<void> | undefined {
    return this.#withNode(async (node) => {
      this.#fallSilent(node, ms);
      if (isNoticed) this.#sendAway(node);
      node.gateway.signal("SIGSTOP");
      await delay(ms);
      node.gateway.signal("SIGCONT");
    });
  }

  /** Redis is out of its reach; its clients are not. */
  cutOff(ms: number, how: "reset" | "silent"): Promise<void> | undefined {
    return this.#withNode(async (node) => {
      this.#fallSilent(node, ms);
      if (how === "silent") node.network.blackhole(true);
      else {
        node.network.refuse(true);
        node.network.cut();
      }
      await delay(ms);
      node.network.refuse(false);
      node.network.blackhole(false);
    });
  }

  /** Redis is far away from it. */
  slowDown(ms: number): Promise<void> | undefined {
    return this.#withNode(async (node) => {
      this.#world.disturb(ms, [node]);
      node.network.delay(this.#world.random.between(50, 250));
      await delay(ms);
      node.network.delay(0);
    });
  }

  /**
   * It goes down as it should, and the build before this one takes its place, then this one again: what was mended since may go
   * wrong with the other while nodes do not hear of each other.
   */
  replace(): Promise<void> | undefined {
    return this.#withNode(async (node) => {
      const { gateway, oracle, name } = node;
      for (const program of [this.#previous, gateway.program]) {
        this.#sendAway(node);
        const code = await gateway.end("SIGTERM");
        if (code !== 0) oracle.crashed(`${name} went down with ${code}`, Date.now());
        gateway.program = program ?? gateway.program;
        await node.start();
        // Clients may be sent to it.
        node.isWell = true;
        await delay(TIMES.windowMs);
        node.isWell = false;
      }
    });
  }

  /** Before its silence others can have heard nothing of what it did last; after it they have to agree first. */
  #fallSilent(node: ClusterNode, ms: number): void {
    this.#world.disturb(ms, [node]);
    this.#world.settles(ms + LEASE_MS + TIMES.windowMs + SLACK_MS);
    // Shorter ones are nobody's death.
    if (ms > LEASE_MS / 2) this.#world.strand(node);
  }

  #slotsOf(node: ClusterNode): Slot[] {
    return this.#world.slots.filter((slot) => slot.node === node && !slot.crowd.isDead);
  }

  #sendAway(node: ClusterNode): void {
    for (const slot of this.#slotsOf(node))
      this.#world.send(slot, this.#world.random.pick(this.#world.wellNodes));
  }

  /** Some other node stays well. */
  #withNode(act: (node: ClusterNode) => Promise<void>): Promise<void> | undefined {
    const { wellNodes, random } = this.#world;
    if (wellNodes.length < 2) return undefined;
    const node = random.pick(wellNodes);
    node.isWell = false;
    return act(node).finally(() => {
      node.isWell = true;
    });
  }
}
