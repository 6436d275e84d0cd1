import { setTimeout as delay } from "node:timers/promises";
import { SLACK_MS, TIMES } from "../times.ts";
import type { ClusterNode } from "./cluster-node.ts";
import { LEASE_MS, type NodesWorld, type Slot } from "./nodes-world.ts";

/** Faults of one node while the others continue. Undefined if no node is available. */
export class NodeFaults {
  readonly #world: NodesWorld;
  readonly #previous: string | undefined;

  /** `previous`: the program of the previous build, if there is one. */
  constructor(world: NodesWorld, previous: string | undefined) {
    this.#world = world;
    this.#previous = previous;
  }

  /** Its clients continue elsewhere. Or they are all killed with it, and return later as new ones. */
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
      this.#world.dies(node);
      await node.gateway.end("SIGKILL");
      // What it was asked for until then.
      this.#world.dies(node);
      await delay(this.#world.random.between(200, LEASE_MS + TIMES.windowMs));
      await node.start();
      if (takesClients) for (const slot of slots) this.#world.revive(slot);
    });
  }

  /** It is paused together with its connections. `isNoticed`: new connections avoid it. */
  stop(ms: number, isNoticed: boolean): Promise<void> | undefined {
    return this.#withNode(async (node) => {
      this.#fallSilent(node, ms);
      if (isNoticed) this.#sendAway(node);
      node.gateway.signal("SIGSTOP");
      await delay(ms);
      node.gateway.signal("SIGCONT");
    });
  }

  /** It cannot reach Redis, but its clients can reach it. */
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

  /** Its connection to Redis has a long delay. */
  slowDown(ms: number): Promise<void> | undefined {
    return this.#withNode(async (node) => {
      this.#world.disturb(ms, [node]);
      node.network.delay(this.#world.random.between(50, 250));
      await delay(ms);
      node.network.delay(0);
    });
  }

  /**
   * It stops gracefully, the previous build takes its place, and later this build again. Defects fixed since
   * then may still occur in the previous build while nodes cannot communicate.
   */
  replace(): Promise<void> | undefined {
    return this.#withNode(async (node) => {
      const { gateway, oracle, name } = node;
      for (const program of [this.#previous, gateway.program]) {
        this.#sendAway(node);
        // Its observers see nothing until it is back, however long that takes.
        node.calmFrom = Number.POSITIVE_INFINITY;
        const code = await gateway.end("SIGTERM");
        if (code !== 0) oracle.crashed(`${name} went down with ${code}`, Date.now());
        gateway.program = program ?? gateway.program;
        await node.start();
        node.calmFrom = 0;
        this.#world.disturb(0, [node]);
        // Clients may be sent to it.
        node.isWell = true;
        await delay(TIMES.windowMs);
        node.isWell = false;
      }
    });
  }

  /** Before its silence others may lack its last changes. After the silence the nodes must agree first. */
  #fallSilent(node: ClusterNode, ms: number): void {
    this.#world.disturb(ms, [node]);
    this.#world.extendEffects(ms + LEASE_MS + TIMES.windowMs + SLACK_MS);
    // Shorter pauses end no session.
    if (ms > LEASE_MS / 2) this.#world.strand(node);
  }

  #slotsOf(node: ClusterNode): Slot[] {
    return this.#world.slots.filter((slot) => slot.node === node && !slot.crowd.isDead);
  }

  #sendAway(node: ClusterNode): void {
    for (const slot of this.#slotsOf(node))
      this.#world.send(slot, this.#world.random.pick(this.#world.wellNodes));
  }

  /** At least one other node stays healthy. */
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
