import { setTimeout as delay } from "node:timers/promises";
import { MAX_DIFF_LOG_BYTES } from "../../src/core/views/diff-log.ts";
import { IDLE_VIEW_MS, MAX_IDLE_BYTES } from "../../src/core/views/view-registry.ts";
import { EVERYTHING } from "./app-under-chaos.ts";
import { ChaosWorld, type Measured } from "./chaos-world.ts";
import { CrowdFaults } from "./crowd-faults.ts";
import { GatewayFaults } from "./gateway-faults.ts";
import { HostileUser } from "./hostile-user.ts";
import { QuietPoints } from "./quiet-points.ts";
import { RudeVisitors } from "./rude-visitors.ts";
import { type Summary, summarize } from "./summary.ts";
import { SLACK_MS, TIMES } from "./times.ts";
import { Visitors } from "./visitors.ts";

export interface DriverOptions {
  readonly transport: "ws" | "uws";
  readonly seed: number;
  readonly minutes: number;
  readonly print: (line: string) => void;
}

/** Idle HTTP connections of this process. There are more after concurrent requests. */
const OTHER_FILES = 3;

/** Applies faults to a gateway, and compares the state of all clients at each pause. */
export class Driver {
  readonly #options: DriverOptions;
  readonly #world: ChaosWorld;
  readonly #quietPoints: QuietPoints;
  readonly #crowds: CrowdFaults;
  readonly #visitors: Visitors;
  readonly #rude: RudeVisitors;
  readonly #hostile: HostileUser;
  readonly #gateway: GatewayFaults;
  readonly #busy = new Set<Promise<void>>();
  #begin: Measured | undefined;

  constructor(options: DriverOptions) {
    this.#options = options;
    this.#world = new ChaosWorld(options.transport, options.seed);
    this.#quietPoints = new QuietPoints(this.#world, options.print);
    this.#crowds = new CrowdFaults(this.#world);
    this.#visitors = new Visitors(this.#world);
    this.#rude = new RudeVisitors(this.#world);
    this.#hostile = new HostileUser(this.#world);
    this.#gateway = new GatewayFaults(this.#world, this.#visitors);
  }

  async run(): Promise<Summary> {
    const world = this.#world;
    const endsAt = Date.now() + this.#options.minutes * 60_000;
    await world.gateway.start();
    try {
      // Before any client connects, except for the connection of this request.
      const { files } = await world.measure();
      await world.populate();
      await this.#quietPoints.reach("at the beginning");
      this.#begin = { ...(await world.measure()), files };
      // The last round ends, with its quiet point, at about the end of the run.
      for (let round = 1; Date.now() < endsAt - 8_000 || round === 1; round++) {
        await this.#round(round);
        const what = await this.#exclusive(round);
        await this.#quietPoints.reach(`round ${round}${what}`);
      }
      return summarize(world, this.#quietPoints, this.#begin, await this.#end());
    } catch (error) {
      // For example, the gateway is gone for good. What was seen until then is worth more than the error.
      world.a.oracle.crashed(`the run broke off: ${error}`, Date.now());
      return summarize(world, this.#quietPoints, this.#begin, undefined);
    } finally {
      await world.dispose();
    }
  }

  async #round(round: number): Promise<void> {
    const { random } = this.#world;
    for (const { crowd } of this.#world.slots()) crowd.order({ kind: "act" });
    this.#world.slowProxy.limit(random.pick([2_000, 20_000, 200_000]));
    const until = Date.now() + random.between(5_000, 7_000);
    const kinds: readonly [string, number, () => Promise<void> | undefined][] = [
      ["crowd killed", 3, () => this.#crowds.kill()],
      ["crowd stopped for a moment", 2, () => this.#crowds.stop(random.between(200, 900))],
      ["crowd stopped for long", 1, () => this.#crowds.stop(random.between(4_000, 8_000))],
      ["connections reset", 4, () => this.#crowds.cut(1)],
      ["flapping", 3, () => this.#crowds.cut(2 + random.below(5))],
      ["half-closed", 2, () => this.#crowds.halfClose()],
      ["network silent for a moment", 2, () => this.#crowds.blackhole(random.between(100, 900))],
      ["network silent for long", 1, () => this.#crowds.blackhole(random.between(4_000, 8_000))],
      ["network slow", 2, () => this.#crowds.slowNetwork()],
      ["observer cut", 3, () => this.#cutObservers()],
      ["five tabs", 5, () => this.#visitors.tabs()],
      ["page reloaded", 5, () => this.#visitors.reload()],
      ["session taken over", 4, () => this.#visitors.takeOver()],
      ["kicked", 2, () => this.#visitors.kick()],
      ["token expired", 3, () => this.#visitors.expire(false)],
      ["token refreshed", 3, () => this.#visitors.expire(true)],
      ["liar", 4, () => this.#visitors.lie()],
      ["bad frames", 4, () => this.#rude.offend()],
      ["message flood", 2, () => this.#visitors.flood()],
      ["handshake flood", 1, () => this.#rude.handshakes()],
      ["never reads, answers pings", 2, () => this.#rude.zombie()],
      ["loud writer", 3, () => this.#visitors.loud()],
      ["hostile user with a token", 2, () => this.#hostile.act()],
      ["statuses and bots", 12, () => this.#actWithStatus()],
    ];
    const all = kinds.flatMap((kind) => Array.from({ length: kind[1] }, () => kind));
    // Each kind has one turn first. After that they are random.
    const order = round % 2 === 1 ? random.shuffle(kinds) : [];
    while (Date.now() < until) {
      const [name, , act] = order.pop() ?? random.pick(all);
      const acting = act();
      if (acting !== undefined) {
        this.#world.count(name);
        this.#start(acting);
      }
      await delay(random.between(50, 400));
    }
    await Promise.all(this.#busy);
  }

  /** Faults that affect all clients, so nothing else can happen at the same time. */
  async #exclusive(round: number): Promise<string> {
    // The first rounds have one of each, so that a short run includes all of them.
    const which =
      round <= 4
        ? ([0.1, 0.3, 0.5, 0.6][(round + this.#options.seed) % 4] as number)
        : this.#world.random.next();
    if (which < 0.2) {
      const ms = this.#options.minutes >= 2 ? 20_000 : 4_000;
      this.#world.count(`gateway paused ${ms / 1000} s`);
      await this.#gateway.pause(ms);
      return `, gateway paused ${ms / 1000} s`;
    }
    if (which < 0.4) {
      this.#world.count("drained and restarted");
      await this.#gateway.restart("SIGTERM");
      return ", drained and restarted";
    }
    if (which < 0.55) {
      this.#world.count("killed and restarted");
      await this.#gateway.restart("SIGKILL");
      return ", killed and restarted";
    }
    if (which < 0.75) {
      this.#world.count("faults injected");
      await this.#gateway.break();
      return ", faults injected";
    }
    return "";
  }

  async #end(): Promise<Measured> {
    const world = this.#world;
    const { oracle } = world.a;
    for (const app of world.apps) app.oracle.allMayLeave(Date.now());
    world.healthy!.end();
    await Promise.all(world.slots().map(({ crowd }) => crowd.close()));
    await world.statuses.goHome();
    for (const observing of [...world.observers, ...world.counting]) observing.end();
    const isLong = this.#options.minutes >= 2;
    await delay(TIMES.windowMs + SLACK_MS + (isLong ? IDLE_VIEW_MS : 0));
    const at = Date.now();
    for (const app of world.apps) {
      app.oracle.quiet(await app.query(EVERYTHING), new Map(), at);
      const { users, sessions, sockets, subscriptions } = await world.stats(app);
      for (const [name, count] of Object.entries({ users, sessions, sockets, subscriptions }))
        app.oracle.leftovers(`${name} of ${app.id}`, 0, count, 0, at);
    }
    const begin = this.#begin!;
    const end = await world.measure();
    const resident = begin.health.rssBytes;
    // Idle views and their diff logs are kept for a minute, within their own bounds. A long run waits
    // for their end. A short run allows for them.
    const kept = isLong ? 0 : MAX_IDLE_BYTES + MAX_DIFF_LOG_BYTES;
    const allowed = 0.1 * resident + 50e6 + kept;
    oracle.leftovers("resident bytes", resident, end.health.rssBytes, allowed, at);
    if (end.files !== undefined) oracle.leftovers("open files", begin.files ?? 0, end.files, OTHER_FILES, at);
    const code = await world.gateway.end("SIGTERM");
    if (code !== 0) oracle.crashed(`the gateway went down with ${code}`, at);
    return end;
  }

  /** Several at once, of different users. */
  async #actWithStatus(): Promise<void> {
    await Promise.all(Array.from({ length: 6 }, () => this.#world.statuses.act()));
  }

  async #cutObservers(): Promise<void> {
    if (this.#world.random.next() < 0.5) this.#world.flakyProxy.cut();
    else this.#world.random.pick(this.#world.a.observers).drop();
  }

  #start(acting: Promise<void>): void {
    const guarded = acting
      .catch((error) => this.#world.a.oracle.crashed(`what a client did went wrong: ${error}`, Date.now()))
      .finally(() => this.#busy.delete(guarded));
    this.#busy.add(guarded);
  }
}
