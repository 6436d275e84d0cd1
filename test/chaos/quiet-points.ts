import { setTimeout as delay } from "node:timers/promises";
import { type AppUnderChaos, EVERYTHING } from "./app-under-chaos.ts";
import type { ChaosWorld } from "./chaos-world.ts";
import type { GatewayUnderTest } from "./gateway-under-test.ts";
import type { ExpectedSession } from "./oracle.ts";
import type { Result } from "./result.ts";
import { checkStatuses } from "./status-checks.ts";
import { TIMES } from "./times.ts";

/** The SDK waits up to half a minute between attempts, and on a busy machine some attempts fail. */
const LONGEST_RETURN_MS = 150_000;

/** Points at which nothing changes, so that the states of all clients can be compared. */
export class QuietPoints {
  readonly #world: ChaosWorld;
  readonly #gateway: GatewayUnderTest;
  readonly #a: AppUnderChaos;
  readonly #b: AppUnderChaos;
  readonly #print: (line: string) => void;
  count = 0;
  slowReturns = 0;
  worstDelay = { p99: 0, max: 0 };

  constructor(world: ChaosWorld, print: (line: string) => void) {
    this.#world = world;
    this.#gateway = world.gateway;
    this.#a = world.a;
    this.#b = world.b;
    this.#print = print;
  }

  /** Waits until all clients have returned and nothing is pending, then compares all states. */
  async reach(name: string): Promise<void> {
    for (const { proxy, crowd } of this.#world.slots()) {
      proxy.limit(Number.POSITIVE_INFINITY);
      proxy.delay(0);
      crowd.order({ kind: "rest" });
    }
    this.#world.slowProxy.limit(Number.POSITIVE_INFINITY);
    for (const slot of this.#a.slots) {
      if (!slot.crowd.isDead) continue;
      this.#a.revive(slot);
      slot.crowd.order({ kind: "rest" });
    }
    const startedAt = Date.now();
    const bots = await this.#world.statuses.rest();
    let expected = await this.#allBack(startedAt);
    const returnedMs = Date.now() - startedAt;
    if (returnedMs > TIMES.windowMs) this.slowReturns++;
    for (let round = 0; round < 5; round++) {
      const effectsUntil = Math.max(this.#world.effectsUntil, Date.now() + TIMES.windowMs + 1_200);
      await delay(effectsUntil - Date.now());
      const again = await this.#allBack(startedAt);
      const isSame =
        JSON.stringify([...again.a, ...again.b]) === JSON.stringify([...expected.a, ...expected.b]);
      expected = again;
      if (isSame) break;
    }
    const before = this.#world.violations;
    let sessions = 0;
    this.#world.healthy!.isResting = true;
    await delay(300);
    for (const [app, wanted] of [
      [this.#a, expected.a],
      [this.#b, expected.b],
    ] as const) {
      const result = await app.query(EVERYTHING);
      const at = Date.now();
      app.oracle.record(at, undefined, `quiet: ${name}`);
      const all = app === this.#a ? await this.#withBots(wanted, bots, result) : wanted;
      app.oracle.quiet(result, all, at);
      const { sessions: count } = await this.#world.stats(app);
      sessions += count;
      const inC1 = await app.query({ selectedConversationId: "c1" });
      for (const seen of app.watched) app.oracle.compare("a client of the SDK", seen, inC1, Date.now());
      for (const observing of app.observers) {
        if (!(await observing.caughtUp(15_000)))
          app.oracle.violated("I6", Date.now(), undefined, `${observing.observer.name} gets no answer`);
        observing.observer.compare(await app.query(observing.filter), Date.now());
      }
    }
    for (const counting of this.#world.counting)
      await counting.compare(await this.#gateway.count(this.#a.id, this.#a.secret, counting.filter));
    this.#world.healthy!.isResting = false;
    await this.#lookAround(!name.includes("paused"));
    this.count++;
    const diffs = this.#a.observers[0]!.observer.diffs;
    const found = this.#world.violations - before;
    this.#print(
      `quiet point ${this.count} (${name}): ${sessions} sessions, ` +
        `all back in ${(returnedMs / 1000).toFixed(1)} s, ${diffs} diffs so far, ${found === 0 ? "all agree" : `${found} VIOLATIONS`}`,
    );
  }

  /** Checks the statuses of all users, and adds the sessions of the bots that are not invisible. */
  async #withBots(
    wanted: ReadonlyMap<string, ExpectedSession[]>,
    bots: ReadonlyMap<string, ExpectedSession[]>,
    result: Result,
  ): Promise<ReadonlyMap<string, ExpectedSession[]>> {
    const { oracle, id, secret } = this.#a;
    const get = (path: string) => this.#gateway.get(`/v1/${id}${path}`, secret);
    const hidden = await checkStatuses([{ name: "the gateway", oracle, get }], this.#world.statuses, result);
    return new Map([...wanted, ...[...bots].filter(([userId]) => !hidden.has(userId))]);
  }

  /** The sessions of the clients, once all of them have everything that they want. */
  async #allBack(startedAt: number) {
    for (;;) {
      const [a, b] = [await this.#a.expected(), await this.#b.expected()];
      const healthy = this.#world.healthy!.expected;
      if (a !== undefined && b !== undefined && healthy !== undefined)
        return { a: new Map([...a, ["healthy", [healthy]]]), b };
      if (Date.now() > startedAt + LONGEST_RETURN_MS) {
        this.#a.oracle.crashed("clients of the SDK do not come back", Date.now());
        return { a: a ?? new Map(), b: b ?? new Map() };
      }
      await delay(100);
    }
  }

  /** The node's own reports: no secrets, no data of another app, no long delays. */
  async #lookAround(isAwake: boolean): Promise<void> {
    const at = Date.now();
    for (const app of this.#world.apps) {
      for (const path of [`/v1/${app.id}/stats`, `/v1/${app.id}/node`, "/healthz", "/openapi.json"])
        app.oracle.output(path, (await this.#gateway.get(path, app.secret)).text, at);
      // Metrics are for the operator: they cover all apps, but contain no names.
      app.oracle.output("/metrics", (await this.#gateway.get("/metrics", "")).text, at);
    }
    await this.#world.countLagged();
    if (!isAwake) return;
    const { p99, max } = (await this.#gateway.node(this.#a.id, this.#a.secret)).eventLoopDelayMs;
    this.worstDelay = { p99: Math.max(this.worstDelay.p99, p99), max: Math.max(this.worstDelay.max, max) };
  }
}
