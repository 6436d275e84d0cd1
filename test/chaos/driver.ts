import { setTimeout as delay } from "node:timers/promises";
import { TcpProxy } from "../support/proxy.ts";
import { AppUnderChaos, EVERYTHING, markOf, type Slot } from "./app-under-chaos.ts";
import { GatewayUnderTest, type NodeHealth } from "./gateway-under-test.ts";
import { Healthy } from "./healthy.ts";
import type { Violation } from "./oracle.ts";
import { Random } from "./random.ts";
import { RudeSocket } from "./rude.ts";
import { LATEST_DETECTION_MS, SLACK_MS, SOONEST_DETECTION_MS, TIMES } from "./times.ts";
import { type Message, WireClient } from "./wire-client.ts";

export interface DriverOptions {
  readonly transport: "ws" | "uws";
  readonly seed: number;
  readonly minutes: number;
  readonly say: (line: string) => void;
}

export interface Summary {
  readonly events: ReadonlyMap<string, number>;
  readonly quietPoints: number;
  readonly restarts: number;
  readonly slowReturns: number;
  /** Times that a slow reader got a snapshot instead of diffs. */
  readonly lagged: number;
  readonly violations: readonly { readonly violation: Violation; readonly history: readonly string[] }[];
  readonly latency: {
    readonly samples: number;
    readonly p50: number;
    readonly p99: number;
    readonly max: number;
  };
  readonly rss: { readonly begin: number | undefined; readonly end: number | undefined };
  readonly files: { readonly begin: number | undefined; readonly end: number | undefined };
  readonly loopDelayP99: number;
  readonly loopDelayMax: number;
  readonly observed: { readonly diffs: number; readonly snapshots: number; readonly reconnects: number };
}

const SECRET_A = "chaos-canary-secret-of-app-a-0123456789";
const SECRET_B = "chaos-canary-secret-of-app-b-0123456789";
const CROWDS = 3;
const USERS = 12;
/** Connections for HTTP that this process keeps, which are more when it has asked more at once. */
const OTHER_FILES = 3;
const LONGEST_RETURN_MS = 60_000;
const WIDE = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`k${i}`, "w".repeat(500)]));

/** Does to a gateway whatever happens to gateways, and compares what all see whenever it pauses. */
export class Driver {
  readonly #options: DriverOptions;
  readonly #random: Random;
  readonly #gateway: GatewayUnderTest;
  readonly #a: AppUnderChaos;
  readonly #b: AppUnderChaos;
  readonly #events = new Map<string, number>();
  readonly #busy = new Set<Promise<void>>();
  #healthy: Healthy | undefined;
  #slowProxy!: TcpProxy;
  #flakyProxy!: TcpProxy;
  #quietPoints = 0;
  #slowReturns = 0;
  #lagged = 0;
  #laggedBefore = 0;
  #visitors = 0;
  /** What was done will have shown by then. */
  #settledBy = 0;
  #begin: Measured | undefined;
  #worstDelay = { p99: 0, max: 0 };

  constructor(options: DriverOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
    this.#gateway = new GatewayUnderTest(
      {
        TRANSPORT: options.transport,
        APPS: JSON.stringify([
          { id: "app-a", secrets: [SECRET_A] },
          { id: "app-b", secrets: [SECRET_B] },
        ]),
        RESUME_WINDOW_MS: String(TIMES.windowMs),
        HEARTBEAT_INTERVAL_MS: String(TIMES.heartbeatMs),
        TYPING_TIMEOUT_MS: String(TIMES.typingMs),
        DRAIN_MS: String(TIMES.drainMs),
        CONNECT_TIMEOUT_MS: String(TIMES.connectTimeoutMs),
        MAX_BUFFERED_BYTES: "131072",
        LOG_LEVEL: "debug",
      },
      (line) => this.#logged(line),
      (how) => this.#a.oracle.crashed(how, Date.now()),
    );
    this.#a = new AppUnderChaos("app-a", SECRET_A, "app-b", this.#gateway, this.#random);
    this.#b = new AppUnderChaos("app-b", SECRET_B, "app-a", this.#gateway, this.#random);
  }

  async run(): Promise<Summary> {
    const endsAt = Date.now() + this.#options.minutes * 60_000;
    await this.#gateway.start();
    try {
      // Asked over HTTP once before, so that the connection for that is among the files.
      await this.#gateway.node(this.#a.id, SECRET_A);
      const files = this.#gateway.files();
      await this.#populate();
      await this.#quiet("at the beginning");
      this.#begin = {
        health: await this.#gateway.node(this.#a.id, SECRET_A),
        files,
      };
      // The last round ends, with its quiet point, about when the time is over.
      for (let round = 1; Date.now() < endsAt - 8_000 || round === 1; round++) {
        await this.#round(round);
        const what = await this.#exclusive(round);
        await this.#quiet(`round ${round}${what}`);
      }
      return this.#summary(await this.#end());
    } catch (error) {
      // The gateway is gone for good, say: what was seen until then is worth more than the error.
      this.#a.oracle.crashed(`the run broke off: ${error}`, Date.now());
      return this.#summary(undefined);
    } finally {
      await this.#dispose();
    }
  }

  async #populate(): Promise<void> {
    await this.#a.start(CROWDS, USERS);
    await this.#b.start(1, 4);
    this.#slowProxy = await TcpProxy.start(this.#gateway.port);
    this.#flakyProxy = await TcpProxy.start(this.#gateway.port);
    const a = this.#a;
    const through = (proxy: TcpProxy) => () => `http://127.0.0.1:${proxy.port}`;
    a.observe("all", EVERYTHING);
    a.observe("all, flaky", EVERYTHING, through(this.#flakyProxy));
    a.observe("in c1", { selectedConversationId: "c1" });
    a.observe("who types", { isTyping: true });
    a.observe("who looks", { hasFocus: true, includeBackgroundSessions: true });
    for (let i = 0; i < 3; i++)
      a.observe(`slow ${i}`, { selectedConversationId: "loud" }, through(this.#slowProxy));
    a.observe("slow all", EVERYTHING, through(this.#slowProxy));
    this.#b.observe("all of b", EVERYTHING);
    this.#healthy = new Healthy(a, () => this.#gateway.url);
  }

  // Rounds

  async #round(round: number): Promise<void> {
    for (const { crowd } of this.#slots()) crowd.order({ kind: "act" });
    this.#slowProxy.limit(this.#random.pick([2_000, 20_000, 200_000]));
    const until = Date.now() + this.#random.between(5_000, 7_000);
    const kinds: readonly [string, number, () => Promise<void> | undefined][] = [
      ["crowd killed", 3, () => this.#kill()],
      ["crowd stopped for a moment", 2, () => this.#stop(this.#random.between(200, 900))],
      ["crowd stopped for long", 1, () => this.#stop(this.#random.between(4_000, 8_000))],
      ["connections reset", 4, () => this.#cut(1)],
      ["flapping", 3, () => this.#cut(2 + this.#random.below(5))],
      ["half-closed", 2, () => this.#halfClose()],
      ["network silent for a moment", 2, () => this.#blackhole(this.#random.between(100, 900))],
      ["network silent for long", 1, () => this.#blackhole(this.#random.between(4_000, 8_000))],
      ["network slow", 2, () => this.#slowNetwork()],
      ["observer cut", 3, () => this.#cutObservers()],
      ["five tabs", 5, () => this.#tabs()],
      ["page reloaded", 5, () => this.#reload()],
      ["session taken over", 4, () => this.#takeOver()],
      ["kicked", 2, () => this.#kick()],
      ["token expired", 3, () => this.#expire(false)],
      ["token refreshed", 3, () => this.#expire(true)],
      ["liar", 4, () => this.#lie()],
      ["bad frames", 4, () => this.#offend()],
      ["message flood", 2, () => this.#flood()],
      ["handshake flood", 1, () => this.#handshakes()],
      ["never reads, answers pings", 2, () => this.#zombie()],
      ["loud writer", 3, () => this.#loud()],
    ];
    const all = kinds.flatMap((kind) => Array.from({ length: kind[1] }, () => kind));
    // Each kind has its turn, then it is as the dice fall.
    const order = round % 2 === 1 ? this.#random.shuffle(kinds) : [];
    while (Date.now() < until) {
      const [name, , act] = order.pop() ?? this.#random.pick(all);
      const acting = act();
      if (acting !== undefined) {
        this.#count(name);
        this.#start(acting);
      }
      await delay(this.#random.between(50, 400));
    }
    await Promise.all(this.#busy);
  }

  /** What nothing else can happen beside, as it happens to all. */
  async #exclusive(round: number): Promise<string> {
    // The first rounds have one of each, so that a short run has them too.
    const which =
      round <= 3 ? ([0.1, 0.3, 0.5][(round + this.#options.seed) % 3] as number) : this.#random.next();
    if (which < 0.2) {
      const ms = this.#options.minutes >= 2 ? 20_000 : 4_000;
      this.#count(`gateway paused ${ms / 1000} s`);
      await this.#pauseGateway(ms);
      return `, gateway paused ${ms / 1000} s`;
    }
    if (which < 0.4) {
      this.#count("drained and restarted");
      await this.#restart("SIGTERM");
      return ", drained and restarted";
    }
    if (which < 0.55) {
      this.#count("killed and restarted");
      await this.#restart("SIGKILL");
      return ", killed and restarted";
    }
    return "";
  }

  async #quiet(name: string): Promise<void> {
    for (const { proxy, crowd } of this.#slots()) {
      proxy.limit(Number.POSITIVE_INFINITY);
      proxy.delay(0);
      crowd.order({ kind: "rest" });
    }
    this.#slowProxy.limit(Number.POSITIVE_INFINITY);
    for (const slot of this.#a.slots) {
      if (!slot.crowd.isDead) continue;
      this.#a.revive(slot);
      slot.crowd.order({ kind: "rest" });
    }
    const startedAt = Date.now();
    const allBack = async () => {
      for (;;) {
        const [a, b, healthy] = [await this.#a.expected(), await this.#b.expected(), this.#healthy!.expected];
        if (a !== undefined && b !== undefined && healthy !== undefined)
          return { a: new Map([...a, ["healthy", [healthy]]]), b };
        if (Date.now() > startedAt + LONGEST_RETURN_MS) {
          this.#a.oracle.crashed("clients of the SDK do not come back", Date.now());
          return { a: a ?? new Map(), b: b ?? new Map() };
        }
        await delay(100);
      }
    };
    let expected = await allBack();
    const returnedMs = Date.now() - startedAt;
    if (returnedMs > TIMES.windowMs) this.#slowReturns++;
    for (let round = 0; round < 5; round++) {
      const settledBy = Math.max(this.#settledBy, Date.now() + TIMES.windowMs + 1_200);
      await delay(settledBy - Date.now());
      const again = await allBack();
      const isSame =
        JSON.stringify([...again.a, ...again.b]) === JSON.stringify([...expected.a, ...expected.b]);
      expected = again;
      if (isSame) break;
    }
    const before = this.#violations;
    let sessions = 0;
    this.#healthy!.isResting = true;
    await delay(300);
    for (const [app, wanted] of [
      [this.#a, expected.a],
      [this.#b, expected.b],
    ] as const) {
      const result = await app.query(EVERYTHING);
      const at = Date.now();
      app.oracle.note(at, undefined, `quiet: ${name}`);
      app.oracle.quiet(result, wanted, at);
      for (const { sessions: count } of [await this.#stats(app)]) sessions += count;
      const inC1 = await app.query({ selectedConversationId: "c1" });
      for (const seen of app.watched) app.oracle.compare("a client of the SDK", seen, inC1, Date.now());
      for (const observing of app.observers) {
        if (!(await observing.settled(15_000)))
          app.oracle.violated("I6", Date.now(), undefined, `${observing.observer.name} gets no answer`);
        observing.observer.compare(await app.query(observing.filter), Date.now());
      }
    }
    this.#healthy!.isResting = false;
    await this.#lookAround(!name.includes("paused"));
    this.#quietPoints++;
    const diffs = this.#a.observers[0]!.observer.diffs;
    const found = this.#violations - before;
    this.#options.say(
      `quiet point ${this.#quietPoints} (${name}): ${sessions} sessions, all back in ${(returnedMs / 1000).toFixed(1)} s, ` +
        `${diffs} diffs so far, ${found === 0 ? "all agree" : `${found} VIOLATIONS`}`,
    );
  }

  /** What the node tells of itself: no secrets, no other app's data, no long delays. */
  async #lookAround(isAwake: boolean): Promise<void> {
    const at = Date.now();
    for (const [app, secret] of [
      [this.#a, SECRET_A],
      [this.#b, SECRET_B],
    ] as const) {
      for (const path of [`/v1/${app.id}/stats`, `/v1/${app.id}/node`, "/healthz", "/openapi.json"])
        app.oracle.output(path, (await this.#gateway.get(path, secret)).text, at);
      // The metrics are for the operator: of all apps, but with no names.
      app.oracle.output("/metrics", (await this.#gateway.get("/metrics", "")).text, at);
    }
    await this.#countLagged();
    if (!isAwake) return;
    const { p99, max } = (await this.#gateway.node(this.#a.id, SECRET_A)).eventLoopDelayMs;
    this.#worstDelay = { p99: Math.max(this.#worstDelay.p99, p99), max: Math.max(this.#worstDelay.max, max) };
  }

  async #countLagged(): Promise<void> {
    const metrics = (await this.#gateway.get("/metrics", "")).text;
    const lagged = Number(/presence_lagged_readers_total (\d+)/.exec(metrics)?.[1]);
    // Counted from zero again by each gateway that is started.
    this.#lagged += lagged >= this.#laggedBefore ? lagged - this.#laggedBefore : lagged;
    this.#laggedBefore = lagged;
  }

  async #end(): Promise<Measured> {
    for (const { oracle } of [this.#a, this.#b]) oracle.allMayLeave(Date.now());
    this.#healthy!.end();
    await Promise.all(this.#slots().map(({ crowd }) => crowd.close()));
    for (const observing of [...this.#a.observers, ...this.#b.observers]) observing.end();
    await delay(TIMES.windowMs + SLACK_MS);
    const at = Date.now();
    for (const app of [this.#a, this.#b]) {
      app.oracle.quiet(await app.query(EVERYTHING), new Map(), at);
      const { users, sessions, sockets, subscriptions } = await this.#stats(app);
      for (const [name, count] of Object.entries({ users, sessions, sockets, subscriptions }))
        app.oracle.leftovers(`${name} of ${app.id}`, 0, count, 0, at);
    }
    const end = { health: await this.#gateway.node(this.#a.id, SECRET_A), files: this.#gateway.files() };
    const begin = this.#begin!;
    this.#a.oracle.leftovers(
      "resident bytes",
      begin.health.rssBytes,
      end.health.rssBytes,
      0.1 * begin.health.rssBytes + 50e6,
      at,
    );
    if (end.files !== undefined)
      this.#a.oracle.leftovers("open files", begin.files ?? 0, end.files, OTHER_FILES, at);
    const code = await this.#gateway.end("SIGTERM");
    if (code !== 0) this.#a.oracle.crashed(`the gateway went down with ${code}`, at);
    return end;
  }

  #summary(end: Measured | undefined): Summary {
    const observers = [...this.#a.observers, ...this.#b.observers];
    const sum = (count: (each: (typeof observers)[number]) => number) =>
      observers.reduce((total, each) => total + count(each), 0);
    const begin = this.#begin;
    return {
      events: this.#events,
      quietPoints: this.#quietPoints,
      restarts: this.#gateway.restarts,
      slowReturns: this.#slowReturns,
      lagged: this.#lagged,
      violations: [this.#a, this.#b].flatMap(({ oracle }) =>
        oracle.violations.map((violation) => ({ violation, history: oracle.history(violation.userId, 50) })),
      ),
      latency: this.#healthy?.latency ?? { samples: 0, p50: 0, p99: 0, max: 0 },
      rss: { begin: begin?.health.rssBytes, end: end?.health.rssBytes },
      files: { begin: begin?.files, end: end?.files },
      loopDelayP99: this.#worstDelay.p99,
      loopDelayMax: this.#worstDelay.max,
      observed: {
        diffs: sum(({ observer }) => observer.diffs),
        snapshots: sum(({ observer }) => observer.snapshots),
        reconnects: sum(({ reconnects }) => reconnects),
      },
    };
  }

  async #dispose(): Promise<void> {
    for (const { crowd, proxy } of this.#slots()) {
      if (!crowd.isDead) crowd.kill();
      await proxy.stop();
    }
    await this.#slowProxy?.stop();
    await this.#flakyProxy?.stop();
    this.#gateway.signal("SIGCONT");
    await this.#gateway.end("SIGKILL");
  }

  // What happens to crowds

  #kill(): Promise<void> | undefined {
    return this.#withSlot(async (slot) => {
      slot.crowd.kill();
      const at = Date.now();
      for (const userId of slot.crowd.userIds) {
        this.#a.oracle.note(at, userId, "killed");
        this.#a.oracle.mayLeave(userId, at + TIMES.windowMs, at + TIMES.windowMs + SLACK_MS);
      }
      this.#settles(TIMES.windowMs + SLACK_MS);
      await delay(this.#random.between(500, 5_000));
      this.#a.revive(slot);
    });
  }

  #stop(ms: number): Promise<void> | undefined {
    return this.#withSlot(async (slot) => {
      this.#doubt(slot, `stopped for ${Math.round(ms)} ms`);
      slot.crowd.signal("SIGSTOP");
      await delay(ms);
      slot.crowd.signal("SIGCONT");
    });
  }

  #blackhole(ms: number): Promise<void> | undefined {
    return this.#withSlot(async (slot) => {
      this.#doubt(slot, `network silent for ${Math.round(ms)} ms`);
      slot.proxy.blackhole(true);
      await delay(ms);
      slot.proxy.blackhole(false);
    });
  }

  /** What it says may be old from now on; and it may be taken for dead before long. */
  #doubt(slot: Slot, why: string): void {
    const at = Date.now();
    slot.crowd.isDoubtful = true;
    for (const userId of slot.crowd.userIds) {
      this.#a.oracle.note(at, userId, why);
      this.#a.oracle.mayLeave(userId, at + SOONEST_DETECTION_MS + TIMES.windowMs);
    }
    this.#settles(LATEST_DETECTION_MS + TIMES.windowMs + SLACK_MS);
  }

  #cut(times: number): Promise<void> | undefined {
    return this.#withSlot(async (slot) => {
      for (let i = 0; i < times; i++) {
        if (i > 0) await delay(this.#random.between(150, 700));
        this.#lose(slot, "reset");
        slot.proxy.cut();
      }
    });
  }

  #halfClose(): Promise<void> | undefined {
    return this.#withSlot(async (slot) => {
      this.#lose(slot, "half-closed");
      slot.proxy.halfClose(this.#random.pick(["client", "server"]));
    });
  }

  #slowNetwork(): Promise<void> | undefined {
    return this.#withSlot(async (slot) => {
      slot.proxy.delay(this.#random.between(20, 200));
      slot.proxy.slice(this.#random.pick([1, 7, 1_400]));
      await delay(2_000);
      slot.proxy.delay(0);
      slot.proxy.slice(Number.POSITIVE_INFINITY);
    });
  }

  /** The gateway notices at once. Whoever is back in time is told of by `holds`. */
  #lose(slot: Slot, why: string): void {
    const at = Date.now();
    for (const userId of slot.crowd.userIds) {
      this.#a.oracle.note(at, userId, why);
      this.#a.oracle.mayLeave(userId, at + TIMES.windowMs);
    }
    this.#settles(TIMES.windowMs + SLACK_MS);
  }

  #withSlot(act: (slot: Slot) => Promise<void>): Promise<void> | undefined {
    const free = this.#a.slots.filter(({ isBusy, crowd }) => !isBusy && !crowd.isDead);
    if (free.length === 0) return undefined;
    const slot = this.#random.pick(free);
    slot.isBusy = true;
    return act(slot).finally(() => {
      slot.isBusy = false;
    });
  }

  async #cutObservers(): Promise<void> {
    if (this.#random.next() < 0.5) this.#flakyProxy.cut();
    else this.#random.pick(this.#a.observers).drop();
  }

  // What single visitors do

  async #tabs(): Promise<void> {
    const userId = this.#visitor("tabs");
    const token = await this.#a.userToken(userId);
    const tabs = await Promise.all(Array.from({ length: 5 }, () => this.#visit(userId, token)));
    await delay(this.#random.between(50, 800));
    await Promise.all(
      this.#random.shuffle(tabs).map(async (tab) => {
        await delay(this.#random.between(0, 1_500));
        this.#leave(tab, this.#random.pick(["close message", "goodbye", "gone"]));
      }),
    );
  }

  async #reload(): Promise<void> {
    const userId = this.#visitor("reloads");
    const token = await this.#a.userToken(userId);
    let tab = await this.#visit(userId, token);
    for (let i = 0; i < 3; i++) {
      await delay(this.#random.between(50, 400));
      const at = Date.now();
      this.#a.oracle.note(at, userId, "leaves the page");
      this.#a.oracle.mayEnd(tab.sessionId, at + TIMES.windowMs);
      if (this.#random.next() < 0.5) tab.client.socket.close(1001);
      else tab.client.terminate();
      await delay(this.#random.between(0, TIMES.windowMs / 2));
      const next = await this.#visit(userId, token, tab.sessionId);
      if (next.sessionId !== tab.sessionId && Date.now() - at < TIMES.windowMs - 300)
        this.#a.oracle.violated("I2", Date.now(), userId, "a page that was reloaded is another session");
      tab = next;
    }
    this.#leave(tab, "close message");
  }

  async #takeOver(): Promise<void> {
    const userId = this.#visitor("moves");
    const token = await this.#a.userToken(userId);
    const first = await this.#visit(userId, token);
    const causes: string[] = [];
    first.client.onText = (text) => {
      const message = JSON.parse(text);
      if (message.type === "closed") causes.push(message.cause);
    };
    const second = await this.#visit(userId, token, first.sessionId);
    await first.client.ask({ type: "ping" });
    const late = await first.client.ask({ type: "update", sessionId: first.sessionId, hasFocus: true });
    if (second.sessionId !== first.sessionId || causes.join() !== "replaced" || late.code !== "NOT_FOUND")
      this.#a.oracle.violated("I2", Date.now(), userId, `not taken over: ${causes}, ${JSON.stringify(late)}`);
    first.client.terminate();
    await delay(300);
    this.#leave(second, "goodbye");
  }

  async #kick(): Promise<void> {
    const userId = this.#visitor("kicked");
    const token = await this.#a.userToken(userId);
    const tabs = await Promise.all([this.#visit(userId, token), this.#visit(userId, token)]);
    for (const { sessionId } of tabs) this.#a.oracle.ended(sessionId, Date.now());
    await fetch(`${this.#gateway.url}/v1/${this.#a.id}/users/${userId}/sessions`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${SECRET_A}` },
    });
    await delay(200);
    for (const { client } of tabs) client.close();
  }

  async #expire(refreshes: boolean): Promise<void> {
    const userId = this.#visitor("expires");
    const { oracle } = this.#a;
    const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds;
    let exp = inSeconds(2);
    oracle.expires(userId, exp * 1_000);
    const client = await WireClient.connect(
      this.#gateway.url,
      this.#a.id,
      await this.#a.userToken(userId, exp),
      () => oracle.delivered(userId, Date.now()),
    );
    void client.ask({ type: "subscribe", filter: {} });
    const opened = await client.ask({ type: "open", kind: "widget" });
    if (refreshes) {
      exp = inSeconds(4);
      const answer = await client.ask({ type: "refresh", token: await this.#a.userToken(userId, exp) });
      if (answer.type !== "ok")
        oracle.violated("I9", Date.now(), userId, `no refresh: ${JSON.stringify(answer)}`);
      oracle.expires(userId, exp * 1_000);
    }
    while (client.closeCode === undefined && Date.now() < exp * 1_000 + 9_000) {
      if (refreshes && Date.now() < exp * 1_000 - 1_000 && !client.isOpen) break;
      await delay(50);
    }
    if (client.closeCode !== 4410 || Date.now() < exp * 1_000 - 100)
      oracle.violated(
        "I9",
        Date.now(),
        userId,
        `closed with ${client.closeCode}, ${Date.now() - exp * 1_000} ms after exp`,
      );
    client.terminate();
    if (opened.type === "opened") this.#settles(TIMES.windowMs + SLACK_MS);
  }

  async #lie(): Promise<void> {
    const { oracle } = this.#a;
    const victims = Object.entries(await this.#a.query(EVERYTHING)) as [string, Message][];
    if (victims.length === 0) return;
    const [victim, { widgets }] = this.#random.pick(victims);
    const sessionId = widgets[0]?.sessionId;
    if (sessionId === undefined) return;
    const wrong = (what: string, answer: Message) =>
      oracle.violated("I5", Date.now(), victim, `${what}: ${JSON.stringify(answer)}`);
    const userId = this.#visitor("mallory");
    const mallory = await this.#visit(userId, await this.#a.userToken(userId));
    for (const message of [
      { type: "update", sessionId, custom: { n: "stolen" } },
      { type: "close", sessionId },
      { type: "open", kind: "widget", userId: victim },
    ]) {
      const answer = await mallory.client.ask(message);
      if (answer.type !== "error") wrong("another's session was touched", answer);
    }
    const stolen = await mallory.client.ask({ type: "open", kind: "widget", sessionId });
    if (stolen.resumed !== false || stolen.sessionId === sessionId)
      wrong("another's session was resumed", stolen);
    else oracle.mayEnd(stolen.sessionId, 0);
    this.#leave(mallory, "goodbye");
    // Another app's token here, and ours there.
    const foreign = await WireClient.connect(this.#gateway.url, this.#a.id, this.#b.appToken).catch(
      () => undefined,
    );
    if (foreign !== undefined) wrong("a token of another app was taken", "");
    const other = await WireClient.connect(this.#gateway.url, this.#b.id, this.#b.appToken);
    const across = await other.ask({ type: "open", kind: "widget", userId: victim, sessionId });
    if (across.resumed !== false) wrong("a session of another app was resumed", across);
    other.close();
  }

  async #offend(): Promise<void> {
    const rude = new RudeSocket(this.#gateway.port, this.#a.id);
    if (!(await rude.upgraded)) return rude.end();
    if (this.#random.next() < 0.7) {
      rude.text({ type: "connect", token: await this.#a.userToken(this.#visitor("rude")) });
      await delay(50);
    }
    rude.offend(this.#random);
    await delay(500);
    rude.end();
  }

  async #flood(): Promise<void> {
    const userId = this.#visitor("floods");
    const { client, sessionId } = await this.#visit(userId, await this.#a.userToken(userId));
    const at = Date.now();
    this.#a.oracle.mayEnd(sessionId, at + TIMES.windowMs);
    for (let i = 0; i < 30 && client.isOpen; i++) {
      for (let k = 0; k < 100; k++) client.send(`{"type":"update","custom":{"n":"${i}-${k}"}}`);
      await delay(10);
    }
    for (let waited = 0; waited < 2_000 && client.closeCode === undefined; waited += 20) await delay(20);
    if (client.closeCode !== 4429)
      this.#a.oracle.violated(
        "I6",
        at,
        userId,
        `3000 messages in a moment, and closed with ${client.closeCode}`,
      );
    client.terminate();
    this.#settles(TIMES.windowMs + SLACK_MS);
  }

  async #handshakes(): Promise<void> {
    const sockets = Array.from({ length: 300 }, () => new RudeSocket(this.#gateway.port, this.#a.id));
    await Promise.all(sockets.map(({ upgraded }) => upgraded));
    await delay(this.#random.between(0, 2_500));
    for (const socket of sockets) socket.end();
  }

  async #zombie(): Promise<void> {
    const rude = new RudeSocket(this.#gateway.port, this.#a.id);
    if (!(await rude.upgraded)) return rude.end();
    rude.text({ type: "connect", token: await this.#a.userToken(this.#visitor("zombie")) });
    rude.text({ type: "open", kind: "widget" });
    rude.text({ type: "subscribe", id: 1, filter: { selectedConversationId: "loud" } });
    rude.text({ type: "subscribe", id: 2, filter: EVERYTHING });
    rude.playDead();
    await delay(6_000);
    rude.end();
    this.#settles(TIMES.windowMs + SLACK_MS);
  }

  /** Sessions that change a lot, much at a time: more than slow readers can take. */
  async #loud(): Promise<void> {
    const client = await WireClient.connect(this.#gateway.url, this.#a.id, this.#a.appToken);
    const ids: string[] = [];
    for (let i = 0; i < 10; i++) {
      const fields = { userId: this.#visitor("loud"), selectedConversationId: "loud", custom: WIDE };
      const answer = await client.ask({ type: "open", kind: "widget", ...fields });
      if (answer.type === "opened") ids.push(answer.sessionId);
    }
    const until = Date.now() + 3_000;
    for (let n = 0; Date.now() < until; n++) {
      for (const sessionId of ids)
        client.send({ type: "update", sessionId, custom: { n: String(n), k0: `${n}`.padEnd(500) } });
      await delay(45);
    }
    client.close();
  }

  async #visit(userId: string, token: string, sessionId?: string): Promise<Visit> {
    const client = await WireClient.connect(this.#gateway.url, this.#a.id, token);
    const answer = await client.ask({ type: "open", kind: "widget", ...(sessionId && { sessionId }) });
    if (answer.type !== "opened") throw new Error(`not opened: ${JSON.stringify(answer)}`);
    this.#a.oracle.holds(userId, [answer.sessionId], Date.now());
    return { client, sessionId: answer.sessionId };
  }

  #leave({ client, sessionId }: Visit, how: "close message" | "goodbye" | "gone"): void {
    const at = Date.now();
    const { oracle } = this.#a;
    if (how === "gone") {
      oracle.mayEnd(sessionId, at + TIMES.windowMs, at + TIMES.windowMs + SLACK_MS);
      this.#settles(TIMES.windowMs + SLACK_MS);
      return client.terminate();
    }
    oracle.ended(sessionId, at);
    if (how === "close message") client.send({ type: "close", sessionId });
    client.close();
  }

  // What happens to the gateway

  async #pauseGateway(ms: number): Promise<void> {
    // Those who only wait must find everything as it was.
    const userId = this.#visitor("patient");
    const token = await this.#a.userToken(userId);
    const patient = await Promise.all(Array.from({ length: 10 }, () => this.#visit(userId, token)));
    this.#healthy!.disturbed();
    this.#note(`the gateway is stopped for ${ms} ms`);
    this.#gateway.signal("SIGSTOP");
    for (const app of [this.#a, this.#b]) app.oracle.postpone(ms + 1_000);
    await delay(ms);
    this.#gateway.signal("SIGCONT");
    this.#healthy!.disturbed();
    this.#note("the gateway is woken");
    // Longer than it takes to find somebody dead, and to let their session go.
    await delay(LATEST_DETECTION_MS + TIMES.windowMs + 500);
    for (const { client, sessionId } of patient) {
      const answer = await client.ask({ type: "update", sessionId, hasFocus: true });
      if (answer.type !== "ok")
        this.#a.oracle.violated(
          "I2",
          Date.now(),
          userId,
          `not there after the gateway slept: ${JSON.stringify(answer)}`,
        );
    }
    for (const visit of patient) this.#leave(visit, "goodbye");
  }

  async #restart(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    this.#healthy!.disturbed();
    this.#note(`the gateway gets ${signal}`);
    await this.#countLagged();
    const code = await this.#gateway.end(signal);
    if (signal === "SIGTERM" && code !== 0)
      this.#a.oracle.crashed(`the gateway went down with ${code}`, Date.now());
    for (const app of [this.#a, this.#b]) {
      // What is still on its way, through slow networks, is of the gateway that was.
      for (const observing of app.observers) observing.drop();
      app.oracle.restarted(Date.now());
    }
    await this.#gateway.start();
    this.#healthy!.disturbed();
  }

  // Books

  #slots(): Slot[] {
    return [...this.#a.slots, ...this.#b.slots];
  }

  #visitor(kind: string): string {
    return `${kind}-${++this.#visitors}`;
  }

  #settles(ms: number): void {
    this.#settledBy = Math.max(this.#settledBy, Date.now() + ms);
  }

  #count(name: string): void {
    this.#events.set(name, (this.#events.get(name) ?? 0) + 1);
    this.#a.oracle.note(Date.now(), undefined, name);
  }

  #note(text: string): void {
    for (const { oracle } of [this.#a, this.#b]) oracle.note(Date.now(), undefined, text);
  }

  #start(acting: Promise<void>): void {
    const guarded = acting
      .catch((error) => this.#a.oracle.crashed(`what a client did went wrong: ${error}`, Date.now()))
      .finally(() => this.#busy.delete(guarded));
    this.#busy.add(guarded);
  }

  async #stats(app: AppUnderChaos) {
    return JSON.parse((await this.#gateway.get(`/v1/${app.id}/stats`, app.secret)).text);
  }

  get #violations(): number {
    return this.#a.oracle.violations.length + this.#b.oracle.violations.length;
  }

  #logged(line: string): void {
    const at = Date.now();
    for (const { oracle } of [this.#a, this.#b])
      oracle.output("the log", line.replaceAll(markOf(""), ""), at);
    // What users say of themselves is not for the log either.
    if (line.includes(markOf("")))
      this.#a.oracle.violated("I8", at, undefined, "the log shows custom fields");
    if (!line.startsWith("{") || JSON.parse(line).level >= 50)
      this.#a.oracle.crashed(`logged: ${line.slice(0, 500)}`, at);
  }
}

interface Measured {
  readonly health: NodeHealth;
  readonly files: number | undefined;
}

interface Visit {
  readonly client: WireClient;
  readonly sessionId: string;
}
