import { TcpProxy } from "../support/proxy.ts";
import { Random } from "../support/random.ts";
import { AppUnderChaos, EVERYTHING, markOf, type Slot } from "./app-under-chaos.ts";
import { CountObserving } from "./count-observing.ts";
import { GatewayUnderTest, type NodeHealth } from "./gateway-under-test.ts";
import { Healthy } from "./healthy.ts";
import { watchOwnTimers, watchWaits } from "./lateness.ts";
import type { Observing } from "./observing.ts";
import { StatusUsers } from "./status-users.ts";
import { INJECTED, TIMES } from "./times.ts";

const SECRET_A = "chaos-canary-secret-of-app-a-0123456789";
const SECRET_B = "chaos-canary-secret-of-app-b-0123456789";
const CROWDS = 3;
const USERS = 12;
/** How many of them declare statuses, in each crowd. */
const STATUS_USERS = 3;

export interface Measured {
  readonly health: NodeHealth;
  readonly files: number | undefined;
}

/** The system under chaos: a gateway, its two apps with their users, and the journal of all faults. */
export class ChaosWorld {
  readonly random: Random;
  readonly gateway: GatewayUnderTest;
  readonly a: AppUnderChaos;
  readonly b: AppUnderChaos;
  readonly events = new Map<string, number>();
  readonly counting: CountObserving[] = [];
  statuses!: StatusUsers;
  healthy: Healthy | undefined;
  slowProxy!: TcpProxy;
  flakyProxy!: TcpProxy;
  /** When the effects of all faults so far are over. */
  effectsUntil = 0;
  /** How often a slow reader got a snapshot instead of diffs, over all gateways. */
  lagged = 0;
  #laggedBefore = 0;
  readonly #watches: readonly NodeJS.Timeout[];
  #visitors = 0;

  constructor(transport: "ws" | "uws", seed: number) {
    this.random = new Random(seed);
    this.gateway = new GatewayUnderTest(
      {
        TRANSPORT: transport,
        APPS: JSON.stringify([
          { id: "app-a", secrets: [SECRET_A], indexedCustom: ["mark"] },
          { id: "app-b", secrets: [SECRET_B] },
        ]),
        RESUME_WINDOW_MS: String(TIMES.windowMs),
        HEARTBEAT_INTERVAL_MS: String(TIMES.heartbeatMs),
        TYPING_TIMEOUT_MS: String(TIMES.typingMs),
        DRAIN_MS: String(TIMES.drainMs),
        CONNECT_TIMEOUT_MS: String(TIMES.connectTimeoutMs),
        MAX_BUFFERED_BYTES: "131072",
        LOG_LEVEL: "debug",
        NODE_OPTIONS: `--import=${new URL("injected-faults.js", import.meta.url).href}`,
        CHAOS_FAULT_SEED: String(seed),
      },
      (line) => this.#logged(line),
      (how) => this.a.oracle.crashed(how, Date.now()),
    );
    this.a = new AppUnderChaos("app-a", SECRET_A, "app-b", this.gateway, this.random);
    this.b = new AppUnderChaos("app-b", SECRET_B, "app-a", this.gateway, this.random);
    const late = (ms: number) => {
      for (const { oracle } of this.apps) oracle.machineWasLate(ms, Date.now());
    };
    this.#watches = [watchOwnTimers(late), watchWaits(() => this.gateway.pid, late)];
  }

  async populate(): Promise<void> {
    await this.a.start(CROWDS, USERS);
    await this.b.start(1, 4);
    this.slowProxy = await TcpProxy.start(this.gateway.port);
    this.flakyProxy = await TcpProxy.start(this.gateway.port);
    const { a } = this;
    const through = (proxy: TcpProxy) => () => `http://127.0.0.1:${proxy.port}`;
    a.observe("all", EVERYTHING);
    a.observe("all, flaky", EVERYTHING, through(this.flakyProxy));
    a.observe("in c1", { selectedConversationId: "c1" });
    a.observe("who types", { isTyping: true });
    a.observe("who looks", { hasFocus: true, includeBackgroundSessions: true });
    const [mark, n] = [markOf(a.id), ["1", "2", "3"]];
    a.observe("who is busy", { status: ["away", "busy", "dnd"], fields: [] });
    a.observe("statuses only", { includeBackgroundSessions: true, fields: [] });
    a.observe("ids only", { hasFocus: true, fields: ["sessionId"] });
    a.observe("by custom", { custom: { mark }, isTyping: true });
    a.observe("by custom, in c1", { custom: { mark, n }, selectedConversationId: "c1", fields: ["custom"] });
    const url = through(this.flakyProxy);
    for (const filter of [EVERYTHING, { selectedConversationId: "c1" }, { status: ["busy"] }]) {
      const name = `count of ${JSON.stringify(filter)}`;
      this.counting.push(new CountObserving(name, a.oracle, filter, url, a.id, () => a.appToken));
    }
    this.statuses = this.#statusUsers();
    a.oracle.mayRecur(this.statuses.botSessionIds);
    for (let i = 0; i < 3; i++)
      a.observe(`slow ${i}`, { selectedConversationId: "loud" }, through(this.slowProxy));
    a.observe("slow all", EVERYTHING, through(this.slowProxy));
    this.b.observe("all of b", EVERYTHING);
    this.healthy = new Healthy(a, () => this.gateway.url);
  }

  #statusUsers(): StatusUsers {
    const { a, gateway, random } = this;
    const place = () => ({ name: "the gateway", url: gateway.url, isHeard: false });
    return new StatusUsers({
      appId: a.id,
      secret: a.secret,
      mark: markOf(a.id),
      random,
      onlineIds: a.slots.flatMap(({ crowd }) => crowd.userIds.slice(0, STATUS_USERS)),
      place,
      wellPlace: place,
      record: (userId, text) => a.oracle.record(Date.now(), userId, text),
    });
  }

  async dispose(): Promise<void> {
    for (const watch of this.#watches) clearInterval(watch);
    for (const { crowd, proxy } of this.slots()) {
      if (!crowd.isDead) crowd.kill();
      await proxy.stop();
    }
    await this.slowProxy?.stop();
    await this.flakyProxy?.stop();
    this.gateway.signal("SIGCONT");
    await this.gateway.end("SIGKILL");
  }

  slots(): Slot[] {
    return this.apps.flatMap(({ slots }) => slots);
  }

  visitor(kind: string): string {
    return `${kind}-${++this.#visitors}`;
  }

  extendEffects(ms: number): void {
    this.effectsUntil = Math.max(this.effectsUntil, Date.now() + ms);
  }

  count(name: string): void {
    this.events.set(name, (this.events.get(name) ?? 0) + 1);
    this.a.oracle.record(Date.now(), undefined, name);
  }

  record(text: string): void {
    for (const { oracle } of this.apps) oracle.record(Date.now(), undefined, text);
  }

  async stats(app: AppUnderChaos) {
    return JSON.parse((await this.gateway.get(`/v1/${app.id}/stats`, app.secret)).text);
  }

  get apps(): readonly AppUnderChaos[] {
    return [this.a, this.b];
  }

  get observers(): readonly Observing[] {
    return this.apps.flatMap(({ observers }) => observers);
  }

  async measure(): Promise<Measured> {
    return { health: await this.gateway.node(this.a.id, this.a.secret), files: this.gateway.files() };
  }

  get violations(): number {
    return this.apps.reduce((sum, { oracle }) => sum + oracle.violations.length, 0);
  }

  async countLagged(): Promise<void> {
    const metrics = (await this.gateway.get("/metrics", "")).text;
    const lagged = Number(/presence_lagged_readers_total (\d+)/.exec(metrics)?.[1]);
    // Each started gateway counts from zero.
    this.lagged += lagged >= this.#laggedBefore ? lagged - this.#laggedBefore : lagged;
    this.#laggedBefore = lagged;
  }

  #logged(line: string): void {
    const at = Date.now();
    for (const { oracle } of this.apps) oracle.output("the log", line.replaceAll(markOf(""), ""), at);
    // Data of users must not be in the log either.
    if (line.includes(markOf(""))) this.a.oracle.violated("I8", at, undefined, "the log shows custom fields");
    if (line.includes(INJECTED)) return;
    if (!line.startsWith("{") || JSON.parse(line).level >= 50)
      this.a.oracle.crashed(`logged: ${line.slice(0, 500)}`, at);
  }
}
