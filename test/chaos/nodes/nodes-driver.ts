import { setTimeout as delay } from "node:timers/promises";
import { EVERYTHING } from "../app-under-chaos.ts";
import { SLACK_MS, TIMES } from "../times.ts";
import { NodeFaults } from "./node-faults.ts";
import { NodesQuietPoints } from "./nodes-quiet-points.ts";
import { APP, LEASE_MS, type NodesOptions, NodesWorld, SECRET, type Slot } from "./nodes-world.ts";
import { PREVIOUS_COMMIT, previousProgram } from "./previous-build.ts";
import { RedisFaults } from "./redis-faults.ts";
import { Tabs } from "./tabs.ts";

export interface NodesDriverOptions extends NodesOptions {
  readonly minutes: number;
  /** Only faults whose name contains this text. */
  readonly only: string;
  readonly print: (line: string) => void;
}

export interface NodesSummary {
  readonly events: ReadonlyMap<string, number>;
  readonly quietPoints: number;
  readonly violations: NodesWorld["violations"];
  readonly diffs: number;
  readonly snapshots: number;
  readonly visits: number;
  readonly sightings: number;
}

/** How many users at most change their status at once. */
const STATUS_CHANGES = 4;

type Fault = readonly [name: string, act: () => Promise<void> | undefined];

/** Applies faults to the nodes of a cluster and to their Redis, and compares all states at each pause. */
export class NodesDriver {
  readonly #options: NodesDriverOptions;
  readonly #busy = new Set<Promise<void>>();
  #world!: NodesWorld;
  #tabs!: Tabs;

  constructor(options: NodesDriverOptions) {
    this.#options = options;
  }

  async run(): Promise<NodesSummary> {
    const { minutes, print } = this.#options;
    const endsAt = Date.now() + minutes * 60_000;
    const previous = previousProgram();
    if (previous === undefined)
      print(`SKIPPED: replacement by the previous build, as git does not know ${PREVIOUS_COMMIT}`);
    const world = await NodesWorld.start(this.#options);
    this.#world = world;
    try {
      await world.populate();
      this.#tabs = new Tabs(world);
      const quietPoints = new NodesQuietPoints(world, this.#tabs, print);
      await quietPoints.reach("at the beginning");
      const faults = this.#faults(previous).filter(([name]) => name.includes(this.#options.only));
      if (faults.length === 0) throw new Error(`no fault is called "${this.#options.only}"`);
      let turns: Fault[] = [];
      for (let round = 1; Date.now() < endsAt - 12_000 || round === 1; round++) {
        // Each one has its turn before any is repeated.
        if (turns.length === 0) turns = world.random.shuffle(faults);
        await quietPoints.reach(`round ${round}: ${await this.#round(turns.pop()!)}`);
      }
      await this.#goHome();
      return this.#summarize(quietPoints.count);
    } finally {
      await world.dispose();
    }
  }

  async #round([name, act]: Fault): Promise<string> {
    const world = this.#world;
    const { random } = world;
    for (const { crowd } of world.slots) crowd.order({ kind: "act" });
    await delay(random.between(200, 800));
    world.count(name);
    let isOver = false;
    const fault = Promise.resolve(act()).finally(() => {
      isOver = true;
    });
    // Awaited below. Until then a rejection would end the process before it stops its children.
    fault.catch(() => {});
    const until = Date.now() + random.between(2_500, 4_000);
    const doings: readonly (() => void)[] = [
      () => this.#start("five tabs", this.#tabs.visit()),
      () => this.#start("five tabs", this.#tabs.visit()),
      () => this.#move(),
      () => this.#cut(),
      () => this.#drop(),
    ];
    while (!isOver || Date.now() < until) {
      random.pick(doings)();
      for (let i = 0; i < STATUS_CHANGES; i++) this.#begin("status", world.statuses.act());
      await delay(random.between(100, 600));
    }
    await fault;
    await Promise.all(this.#busy);
    return name;
  }

  #faults(previous: string | undefined): Fault[] {
    const nodes = new NodeFaults(this.#world, previous);
    const redis = new RedisFaults(this.#world);
    const { random } = this.#world;
    const isLong = this.#options.minutes >= 1;
    const shortly = () => random.between(200, LEASE_MS / 2);
    const long = () => random.between(LEASE_MS * 1.5, LEASE_MS + TIMES.windowMs + 4_000);
    const longFreeze: Fault[] = isLong ? [["Redis frozen for 15 s", () => redis.freeze(15_000)]] : [];
    return [
      ["node killed", () => nodes.kill(false)],
      ["node killed with its clients", () => nodes.kill(true)],
      ["node stopped for a moment", () => nodes.stop(shortly(), false)],
      ["node stopped for long", () => nodes.stop(long(), false)],
      ["node stopped for long, which is noticed", () => nodes.stop(long(), true)],
      ["node cut off from Redis for a moment", () => nodes.cutOff(shortly(), "reset")],
      ["node cut off from Redis for long", () => nodes.cutOff(long(), "reset")],
      ["silence between a node and Redis", () => nodes.cutOff(long(), "silent")],
      ["node far from Redis", () => nodes.slowDown(3_000)],
      ["two nodes replaced by the previous build, and back", () => both(nodes.replace(), nodes.replace())],
      ["two disasters at once", () => both(nodes.kill(false), nodes.cutOff(long(), "reset"))],
      ["Redis frozen for 1 s", () => redis.freeze(1_000)],
      ["Redis frozen for 5 s", () => redis.freeze(5_000)],
      ...longFreeze,
      ["Redis cut off", () => redis.cutOff(long(), "reset")],
      ["silence between all nodes and Redis", () => redis.cutOff(long(), "silent")],
      ["Redis restarted empty", () => redis.restart(undefined)],
      ["Redis restarted with what it had saved", () => redis.restart(random.between(0, 2_000))],
      ["Redis emptied", () => redis.flush()],
      ["Redis full", () => redis.fill(3_000)],
      ["log trimmed while a node stands still", () => both(nodes.stop(shortly(), false), redis.trim())],
      ["Redis killed, a replica promoted by sentinels", () => redis.failOver("killed", 0)],
      ["Redis frozen, a stale replica promoted by sentinels", () => redis.failOver("frozen", 1_500)],
    ];
  }

  /** A load balancer sends the clients of a slot to another node. */
  #move(): void {
    const slot = this.#freeSlot();
    if (slot === undefined) return;
    this.#world.count("clients sent elsewhere");
    this.#world.send(slot, this.#world.random.pick(this.#world.wellNodes));
    slot.proxy.cut();
  }

  #cut(): void {
    this.#world.count("connections reset");
    this.#freeSlot()?.proxy.cut();
  }

  #freeSlot(): Slot | undefined {
    const free = this.#world.slots.filter(({ crowd, node }) => !crowd.isDead && node.isWell);
    return free.length === 0 ? undefined : this.#world.random.pick(free);
  }

  #drop(): void {
    this.#world.count("observer cut");
    this.#world.random.pick(this.#world.doors).drop();
  }

  async #goHome(): Promise<void> {
    const world = this.#world;
    world.tell((oracle) => oracle.allMayLeave(Date.now()));
    await Promise.all(world.slots.map(({ crowd }) => crowd.close()));
    await world.statuses.goHome();
    await delay(TIMES.windowMs + SLACK_MS);
    for (const { gateway, oracle } of world.nodes)
      oracle.quiet(await gateway.query(APP, SECRET, EVERYTHING), new Map(), Date.now());
  }

  #summarize(quietPoints: number): NodesSummary {
    const { doors, events, violations } = this.#world;
    const sum = (count: (door: (typeof doors)[number]) => number) =>
      doors.reduce((total, door) => total + count(door), 0);
    return {
      events,
      quietPoints,
      violations,
      diffs: sum(({ observer }) => observer.diffs),
      snapshots: sum(({ observer }) => observer.snapshots),
      visits: this.#tabs.visits,
      sightings: this.#tabs.sightings,
    };
  }

  #start(name: string, acting: Promise<void>): void {
    this.#world.count(name);
    this.#begin(name, acting);
  }

  #begin(name: string, acting: Promise<void>): void {
    const guarded = acting
      .catch((error) => this.#world.record(`${name}: ${error}`))
      .finally(() => this.#busy.delete(guarded));
    this.#busy.add(guarded);
  }
}

async function both(one: Promise<void> | undefined, other: Promise<void> | undefined): Promise<void> {
  await Promise.all([one, other]);
}
