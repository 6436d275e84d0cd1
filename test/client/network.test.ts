import { setTimeout as delay } from "node:timers/promises";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Session } from "../../src/client/types.ts";
import type { TestClient } from "../support/client.ts";
import { TestGateway } from "../support/gateway.ts";
import { TcpProxy } from "../support/proxy.ts";
import { TestSdk, type Watched } from "../support/sdk.ts";
import { SEED } from "../support/seed.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { PATIENCE_MS, until } from "../support/until.ts";

// Every run has a network of its own; many go on at once, as most of the time all of them wait.
const RUNS = Number(process.env.NETWORK_RUNS ?? 12);
const AT_ONCE = 12;
/** The resume window is longer than any run: no loss of the network in a run outlasts it. */
const WINDOW_MS = 60_000;

const OTHERS = ["bob", "carol", "__proto__"] as const;
const pick = fc.nat(5);
const fields = fc.record(
  {
    selectedConversationId: fc.constantFrom("c1", "c2", null),
    hasFocus: fc.boolean(),
    custom: fc.option(
      fc.dictionary(fc.constantFrom("a", "b", "__proto__"), fc.option(fc.constantFrom("x", "y"))),
    ),
  },
  { requiredKeys: [] },
);
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("other opens" as const),
      who: fc.constantFrom(...OTHERS),
      fields,
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("other updates" as const), session: pick, fields }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("other closes" as const), session: pick }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("own updates" as const), session: pick, fields }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("own types" as const), session: pick }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("cut" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("half-close" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("refuse" as const), ms: fc.nat(600) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("blackhole" as const), ms: fc.nat(600) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("delay" as const), ms: fc.constantFrom(0, 5, 60) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("slice" as const), bytes: fc.constantFrom(1, 7, 1_000_000) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.nat(80) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const FILTERS = (users: readonly string[]) => [
  { userIds: users },
  { userIds: users, selectedConversationId: "c1" },
  { userIds: users, includeBackgroundSessions: true, hasFocus: true },
];

/** One client behind its own network, others beside it, and an observer of its sessions. */
class Run {
  readonly #gateway: TestGateway;
  readonly #prefix: string;
  readonly #sessions: Session[] = [];
  readonly #others: { readonly userId: string; readonly sessionId: string }[] = [];
  /** What the app said of its sessions. */
  readonly #said: { conversation: string | null; hasFocus: boolean; custom: Map<string, string> }[] = [];
  #proxy!: TcpProxy;
  #sdk!: TestSdk;
  #observer!: TestSdk;
  #seen!: Watched;
  #other!: TestClient;
  #watched: Watched[] = [];

  constructor(gateway: TestGateway, number: number) {
    this.#gateway = gateway;
    this.#prefix = `run${number}-`;
  }

  #user(name: string): string {
    return name === "__proto__" && this.#prefix === "run0-" ? name : this.#prefix + name;
  }

  async start(): Promise<void> {
    this.#proxy = await TcpProxy.start(this.#gateway.gateway.port);
    const token = await this.#gateway.token({ tokenType: "app" });
    this.#sdk = new TestSdk(`http://127.0.0.1:${this.#proxy.port}`, token);
    this.#observer = new TestSdk(this.#gateway.url, token);
    this.#other = await this.#gateway.connect();
    const alice = this.#user("alice");
    this.#watched = FILTERS([alice, ...OTHERS.map((name) => this.#user(name))]).map((filter) =>
      this.#sdk.watch(filter),
    );
    for (const kind of ["widget", "background"] as const) {
      this.#sessions.push(this.#sdk.client.open({ kind, userId: alice }));
      this.#said.push({ conversation: null, hasFocus: false, custom: new Map() });
    }
    await until(() => this.#sessions.every(({ state }) => state === "open"));
    this.#seen = this.#observer.watch({ userIds: [alice], includeBackgroundSessions: true });
    await this.#seen.subscription.connected;
  }

  async do(step: Step): Promise<void> {
    switch (step.do) {
      case "other opens": {
        const userId = this.#user(step.who);
        const sessionId = await this.#other.open({ userId, ...step.fields });
        this.#others.push({ userId, sessionId });
        break;
      }
      case "other updates": {
        const session = this.#others[step.session % this.#others.length];
        if (session) await this.#other.ask({ type: "update", sessionId: session.sessionId, ...step.fields });
        break;
      }
      case "other closes": {
        const [session] = this.#others.splice(step.session % Math.max(1, this.#others.length), 1);
        if (session) await this.#other.ask({ type: "close", sessionId: session.sessionId });
        break;
      }
      case "own updates": {
        const index = step.session % this.#sessions.length;
        this.#sessions[index]!.set(step.fields);
        const said = this.#said[index]!;
        const { selectedConversationId, hasFocus, custom } = step.fields;
        if (selectedConversationId !== undefined) said.conversation = selectedConversationId;
        if (hasFocus !== undefined) said.hasFocus = hasFocus;
        if (custom === null) said.custom.clear();
        for (const [key, value] of Object.entries(custom ?? {})) {
          if (value === null) said.custom.delete(key);
          else said.custom.set(key, value);
        }
        break;
      }
      case "own types":
        this.#sessions[step.session % this.#sessions.length]!.typing();
        break;
      case "cut":
        this.#proxy.cut();
        break;
      case "half-close":
        this.#proxy.halfClose("client");
        break;
      case "refuse":
        this.#proxy.refuse(true);
        this.#proxy.cut();
        await delay(step.ms);
        this.#proxy.refuse(false);
        break;
      case "blackhole":
        this.#proxy.blackhole(true);
        await delay(step.ms);
        this.#proxy.blackhole(false);
        break;
      case "delay":
        this.#proxy.delay(step.ms);
        break;
      case "slice":
        this.#proxy.slice(step.bytes);
        break;
      case "wait":
        await delay(step.ms);
        break;
    }
  }

  /** Once all is quiet, everybody has the same of everybody. */
  async rest(): Promise<void> {
    for (const session of this.#sessions) session.stopTyping();
    this.#proxy.slice(Number.POSITIVE_INFINITY);
    this.#proxy.delay(0);
    const alice = this.#user("alice");
    const same = async () => {
      for (const [index, filter] of FILTERS([alice, ...OTHERS.map((name) => this.#user(name))]).entries()) {
        const expected = Object.assign(Object.create(null), await this.#gateway.query(filter));
        expect(this.#watched[index]!.data).toEqual(expected);
      }
      const own = (await this.#gateway.query({ userIds: [alice], includeBackgroundSessions: true }))[alice];
      const rows = [own?.widgets[0], own?.backgroundSessions[0]];
      for (const [index, said] of this.#said.entries()) {
        const { state, id } = this.#sessions[index]!;
        expect(state).toBe("open");
        expect(rows[index]).toMatchObject({
          sessionId: id,
          selectedConversationId: said.conversation,
          hasFocus: said.hasFocus,
          isTyping: false,
        });
        expect(Object.entries(rows[index].custom).sort()).toEqual([...said.custom].sort());
      }
    };
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        await same();
        break;
      } catch (error) {
        if (performance.now() > deadline) throw error;
        await delay(200);
      }
    }
    // Its listener saw nothing of the lost connections, and was told of no more users than there are.
    expect(this.#seen.changes.flatMap(({ entered }) => entered)).toEqual([alice]);
    expect(this.#seen.changes.flatMap(({ left }) => left)).toEqual([]);
    for (const { changes, errors } of [...this.#watched, this.#seen]) {
      expect(errors).toEqual([]);
      for (const { left } of changes)
        for (const { cause } of left) expect(["closed", "changed"]).toContain(cause);
    }
    expect(this.#sdk.errors).toEqual([]);
  }

  /** The last states of the connection: for a failure that does not come again with its seed. */
  told(): string {
    const { statuses, details } = this.#sdk;
    return statuses
      .map((status, i) => `${status} ${details[i]?.error?.message ?? ""} ${details[i]?.retryInMs ?? ""}`)
      .slice(-12)
      .join("\n");
  }

  async end(): Promise<void> {
    await this.#sdk.client.close();
    await this.#observer.client.close();
    this.#other.terminate();
    await this.#proxy.stop();
  }
}

describe.each(TRANSPORTS)("over %s, through a network that does what networks do", (transport) => {
  let gateway: TestGateway;
  beforeAll(async () => {
    const env = {
      RESUME_WINDOW_MS: String(WINDOW_MS),
      // Longer than this process, which is all sides at once, may be busy.
      HEARTBEAT_INTERVAL_MS: "5000",
      MAX_CONNECTS_PER_SECOND: "100000",
      HTTP_REQUESTS_PER_SECOND: "100000",
    };
    gateway = await TestGateway.start(transport, { env });
  });
  afterAll(() => gateway.stop());

  it(`the app misses nothing, and nobody sees a flicker (${RUNS} runs, MODEL_SEED=${SEED})`, async () => {
    const all = fc.sample(fc.array(step, { minLength: 10, maxLength: 40, size: "max" }), {
      numRuns: RUNS,
      seed: SEED,
    });
    const tell = async (steps: Step[], number: number) => {
      const run = new Run(gateway, number);
      try {
        await run.start();
        for (const each of steps) await run.do(each);
        await run.rest();
      } catch (error) {
        throw new Error(`run ${number}: ${JSON.stringify(steps)}\n${run.told()}`, { cause: error });
      } finally {
        await run.end();
      }
    };
    // A few at a time: this process is all clients, networks and the gateway, and has no time for more.
    for (let from = 0; from < all.length; from += AT_ONCE) {
      const some = all.slice(from, from + AT_ONCE);
      const results = await Promise.allSettled(some.map((steps, i) => tell(steps, from + i)));
      for (const result of results) if (result.status === "rejected") throw result.reason;
    }
  }, 600_000);
});
