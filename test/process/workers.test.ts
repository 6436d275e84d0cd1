import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mintToken } from "../../src/server/auth/mint.ts";
import { RedisServer, whyNoRedis } from "../programs/redis-server.ts";
import { TestClient } from "../support/client.ts";
import { GatewayProcess, runCli } from "../support/process.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { unless } from "../support/unless.ts";
import { until } from "../support/until.ts";
import { WEBHOOK_SECRET, WebhookCopy, WebhookReceiver } from "../support/webhook-receiver.ts";

// The built gateway runs in its own processes. `npm test` builds it first.
// A gateway with workers takes three processes, so the tests of a transport share one, in order.

const SECRET = "a secret of the tests of workers, long enough";
const APP = "app";
/** Long enough for a client to come back in time on a busy machine. */
const WINDOW_MS = 8_000;
const MAX_PER_ADDRESS = 30;
/** Questions that each get to a worker by chance: one of two workers is left out once in a million. */
const TIMES = 20;
/** How long workers may take to end without the first process, and to shut down beyond the time for it. */
const END_MS = 10_000;

const app = (id: string) => ({ id, secrets: [SECRET] });
const runs: GatewayProcess[] = [];
const clients: TestClient[] = [];
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "workers-"));
});
afterAll(async () => {
  for (const client of clients) client.terminate();
  for (const { child } of runs) child.kill("SIGKILL");
  await Promise.all(runs.map(({ exited }) => exited));
  rmSync(folder, { recursive: true });
});

function run(env: Record<string, string>): GatewayProcess {
  const gateway = new GatewayProcess({
    HOST: "127.0.0.1",
    WORKERS: "2",
    DRAIN_MS: "300",
    METRICS_TOKEN: "metrics",
    RESUME_WINDOW_MS: String(WINDOW_MS),
    // So long that typing does not end because a test is slow.
    TYPING_TIMEOUT_MS: "3600000",
    ...env,
  });
  runs.push(gateway);
  return gateway;
}

function moduleOf(code: string): string {
  return `data:text/javascript,${encodeURIComponent(code)}`;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** A gateway of two workers. */
class Workers {
  readonly process: GatewayProcess;
  readonly port: number;

  private constructor(gateway: GatewayProcess, port: number) {
    this.process = gateway;
    this.port = port;
  }

  static async start(env: Record<string, string>): Promise<Workers> {
    const gateway = run(env);
    const [, port] = await gateway.printed(/"port":(\d+),"msg":"all workers are ready"/);
    return new Workers(gateway, Number(port));
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** The process of each worker, by its number. */
  pids(): Map<number, number> {
    const starts = this.process.output.matchAll(/"worker":(\d+),"pid":(\d+),"msg":"started a worker"/g);
    return new Map(Array.from(starts, ([, worker, pid]) => [Number(worker), Number(pid)]));
  }

  /** What the log says of workers that have ended, for a failure. */
  ends(): string {
    const lines = this.process.output.split("\n");
    return lines.filter((line) => /a worker (?:has ended|does not answer)|crash/.test(line)).join("\n");
  }

  pidOfNode(nodeId: string): number {
    const line = this.process.output.split("\n").find((each) => each.includes(`"node":"${nodeId}"`))!;
    return this.pids().get(JSON.parse(line).worker)!;
  }

  async get(path: string, token = SECRET): Promise<Response> {
    // A connection of its own, so that any worker may get it.
    const headers = { authorization: `Bearer ${token}`, connection: "close" };
    return await fetch(`${this.url}${path}`, { headers });
  }

  async status(): Promise<string> {
    return ((await (await this.get("/readyz")).json()) as { status: string }).status;
  }

  /** Waits for a status. A connection to a worker that ends just then is reset, so it is tried again. */
  async turns(status: string): Promise<void> {
    await until(async () => (await this.status().catch(() => undefined)) === status);
  }

  async metric(name: string): Promise<number | undefined> {
    const text = await (await this.get("/metrics", "metrics")).text();
    const found = new RegExp(`^presence_${name} ([\\d.e+-]+)$`, "m").exec(text);
    return found === null ? undefined : Number(found[1]);
  }

  async stats(): Promise<Record<string, number>> {
    return (await (await this.get(`/v1/${APP}/stats`)).json()) as Record<string, number>;
  }

  async open(localAddress?: string): Promise<TestClient> {
    const url = `ws://127.0.0.1:${this.port}/v1/${APP}/realtime`;
    const client = await TestClient.open(url, localAddress === undefined ? {} : { localAddress });
    clients.push(client);
    return client;
  }

  /** A client that has connected, and the id of its node. */
  async connect(userId?: string): Promise<{ client: TestClient; nodeId: string }> {
    const client = await this.open();
    const claims =
      userId === undefined ? ({ tokenType: "app" } as const) : ({ tokenType: "user", sub: userId } as const);
    client.send({ type: "connect", token: await mintToken(APP, SECRET, claims) });
    const { nodeId } = await client.next("connected");
    return { client, nodeId };
  }

  /** A client at each of two workers. Those that are not needed are closed. */
  async connectToBoth() {
    const first = await this.connect();
    for (;;) {
      const other = await this.connect();
      if (other.nodeId !== first.nodeId) return [first, other] as const;
      other.client.terminate();
      await other.client.closed;
    }
  }
}

describe.each(TRANSPORTS)("two workers over %s", (TRANSPORT) => {
  let workers: Workers;
  let path: string;
  let receiver: WebhookReceiver;
  const write = (...apps: object[]) => writeFileSync(path, JSON.stringify(apps));
  beforeAll(async () => {
    path = join(folder, `${TRANSPORT}.json`);
    receiver = await WebhookReceiver.start();
    // Without a webhook, which would be a subscription more.
    write(app(APP));
    const MAX_CONNECTIONS_PER_IP = String(MAX_PER_ADDRESS);
    workers = await Workers.start({ TRANSPORT, APPS_FILE: path, NODE_ID: "node", MAX_CONNECTIONS_PER_IP });
  });

  afterAll(() => receiver.stop());

  it("are one gateway: what is done at one shows at the other, and all answer for both", async () => {
    const [one, two] = await workers.connectToBoth();
    expect([one.nodeId, two.nodeId].sort()).toEqual(["node-1", "node-2"]);
    const { view } = await two.client.subscribe({});
    const sessionId = await one.client.open({ userId: "alice" });
    await until(() => two.client.views.get(view)!.data.alice !== undefined);
    one.client.send({ type: "update", sessionId, isTyping: true, selectedConversationId: "c" });
    await until(() => JSON.stringify(two.client.views.get(view)!.data.alice).includes('"isTyping":true'));
    for (const { client } of [one, two]) {
      const { data } = await client.ask({ type: "query", filter: {} });
      expect(Object.keys(data)).toEqual(["alice"]);
    }
    await until(async () => (await workers.stats()).sockets === 2);
    for (let i = 0; i < TIMES; i++) {
      expect(await workers.stats()).toMatchObject({
        users: 1,
        sessions: 1,
        sockets: 2,
        subscriptions: 1,
        views: 1,
      });
    }
    expect(await workers.metric("sockets")).toBe(2);
    expect(await workers.metric("users")).toBe(1);
    expect(await workers.metric("workers_ready")).toBe(2);
    expect(await workers.metric('messages_in_total{type="connect"}')).toBeGreaterThanOrEqual(2);
    await one.client.ask({ type: "close", sessionId });
    for (const { client } of [one, two]) client.terminate();
    await until(async () => (await workers.stats()).sockets === 0);
  });

  it("count the connections of an address together", async () => {
    const held: TestClient[] = [];
    /** Whether one more connection of the address is let in. */
    const isLetIn = () =>
      workers.open("127.0.0.2").then(
        (client) => held.push(client) > 0,
        () => false,
      );
    // What comes faster than they tell each other may be more.
    await until(async () => {
      const letIn = await Promise.all(Array.from({ length: TIMES }, isLetIn));
      return !letIn.includes(true);
    });
    expect(held.length).toBeLessThan(MAX_PER_ADDRESS + 2 * TIMES);
    for (const client of held.splice(MAX_PER_ADDRESS - 1)) {
      client.terminate();
      await client.closed;
    }
    // One more has room, at whichever worker.
    await until(isLetIn);
    for (const client of held) client.terminate();
    await until(async () => (await workers.metric("connections")) === 0);
  });

  it("read other apps anew, all of them, and count what cannot be read once", async () => {
    const serves = async (id: string, expected: number) => {
      for (let i = 0; i < TIMES; i++) {
        if ((await workers.get(`/v1/${id}/stats`)).status !== expected) return false;
      }
      return true;
    };
    const webhooks = [{ id: "hook", url: receiver.url, secrets: [WEBHOOK_SECRET], intervalMs: 100 }];
    write({ ...app(APP), webhooks }, app("second"));
    await until(() => serves("second", 200));
    writeFileSync(path, "[");
    workers.process.child.kill("SIGHUP");
    await until(async () => ((await workers.metric("app_reload_failures_total")) ?? 0) > 0);
    expect(await workers.metric("app_reload_failures_total")).toBeLessThanOrEqual(2);
    expect(await serves("second", 200)).toBe(true);
  });

  it("outlive one of them: its sessions are resumed or end, and another one takes its place", async () => {
    const [one, two] = await workers.connectToBoth();
    const { view } = await two.client.subscribe({});
    const sessionId = await one.client.open({ userId: "returns" });
    await one.client.open({ userId: "does-not" });
    const seen = () => Object.keys(two.client.views.get(view)!.data).sort();
    await until(() => seen().length === 2);
    // One of them delivers the webhook, once clients of a process before could have come back.
    await receiver.nth(1);
    two.client.inbox.length = 0;
    process.kill(workers.pidOfNode(one.nodeId), "SIGKILL");
    const killedAt = performance.now();
    await one.client.closed;
    await workers.turns("degraded");
    const answer = await two.client.ask({ type: "open", kind: "widget", userId: "returns", sessionId });
    expect(answer).toMatchObject({ sessionId, resumed: true });
    await until(() => seen().length === 1);
    process.stdout.write(
      `${TRANSPORT}: left ${Math.round(performance.now() - killedAt)} ms after kill -9 (${WINDOW_MS})\n`,
    );
    const left = two.client.inbox.flatMap(({ causes = {} }) => Object.entries(causes));
    expect(left).toEqual([["does-not", "node-lost"]]);
    // A bad file does not keep a worker from starting: it has the apps that the others have.
    await workers.turns("ready");
    expect(await workers.metric("worker_restarts_total"), workers.ends()).toBe(1);
    const [again] = await workers.connectToBoth();
    const { data } = await again.client.ask({ type: "query", filter: {} });
    expect(Object.keys(data)).toEqual(["returns"]);
    expect((await workers.get("/v1/second/stats")).status).toBe(200);
    const copy = new WebhookCopy();
    let applied = 0;
    await until(() => {
      for (const message of receiver.messages.slice(applied)) expect(copy.apply(message)).toBe(true);
      applied = receiver.messages.length;
      return JSON.stringify([...copy.users.keys()]) === '["returns"]';
    });
    // Another one begins with a snapshot if it was the one that has ended.
    const snapshots = receiver.messages.filter(({ type }) => type === "presence.snapshot");
    expect(snapshots.length).toBeLessThanOrEqual(2);
  });

  it("hold their port alone, and say in one line what is wrong", async () => {
    const there = { APPS: JSON.stringify([app(APP)]), HOST: "127.0.0.1", TRANSPORT };
    for (const WORKERS of ["1", "2"]) {
      const { code, errors } = await runCli([], { ...there, PORT: String(workers.port), WORKERS });
      expect([code, errors]).toEqual([
        1,
        expect.stringMatching(/^presence-gateway: [^\n]*EADDRINUSE[^\n]*\n$/),
      ]);
    }
  });

  it("end gently, with 0", async () => {
    const { client } = await workers.connect("bob");
    const pids = [...workers.pids().values()];
    const startedAt = performance.now();
    expect(await workers.process.stop()).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(END_MS);
    expect((await client.closed).code).toBe(1012);
    expect(pids.filter(isAlive)).toEqual([]);
    expect(workers.process.errors).toBe("");
  });
});

describe.each(TRANSPORTS)("workers over %s in development mode", (TRANSPORT) => {
  it("have one secret and one banner, and end when the first process is killed", async () => {
    const workers = await Workers.start({ TRANSPORT });
    const [, secret] = await workers.process.printed(/Bearer ([\w-]{43})'/);
    expect(workers.process.output.match(/runs in development mode/g)).toHaveLength(1);
    for (let i = 0; i < TIMES; i++) expect((await workers.get("/v1/demo/stats", secret)).status).toBe(200);
    const pids = [...workers.pids().values()];
    expect(pids).toHaveLength(2);
    const startedAt = performance.now();
    expect(await workers.process.stop("SIGKILL")).toBe("SIGKILL");
    await until(() => !pids.some(isAlive));
    expect(performance.now() - startedAt).toBeLessThan(END_MS);
    // Nobody has the port any more.
    const code = await new Promise((resolve) => {
      connect(workers.port, "127.0.0.1").on("error", ({ code: failure }: NodeJS.ErrnoException) =>
        resolve(failure),
      );
    });
    expect(code).toBe("ECONNREFUSED");
  });
});

unless(whyNoRedis(), describe)("workers that share a Redis", () => {
  it("are nodes of the cluster, and one that is started again waits for the lease of the one before", async () => {
    const redis = await RedisServer.start();
    const env = { APPS: JSON.stringify([app(APP)]), NODE_LEASE_MS: "1000", NODE_ID: "node" };
    const workers = await Workers.start({ ...env, REDIS_URL: redis.url });
    const [one, two] = await workers.connectToBoth();
    expect([one.nodeId, two.nodeId].sort()).toEqual(["node-1", "node-2"]);
    const { view } = await two.client.subscribe({});
    await one.client.open({ userId: "alice" });
    await until(() => two.client.views.get(view)!.data.alice !== undefined);
    process.kill(workers.pidOfNode(one.nodeId), "SIGKILL");
    await workers.turns("degraded");
    await workers.turns("ready");
    expect(await workers.metric("worker_restarts_total")).toBe(1);
    await workers.connectToBoth();
    expect(await workers.metric("cluster_nodes")).toBe(2);
    expect(await workers.process.stop()).toBe(0);
    await redis.stop();
  });
});

describe("workers say once what is wrong with the configuration", () => {
  it.each<[string, Record<string, string>, RegExp]>([
    ["a bad setting", { WORKERS: "65" }, /WORKERS must be a whole number from 1 to 64, or auto, but is "65"/],
    ["bad apps", { WORKERS: "3", APPS: "[" }, /APPS is not JSON/],
    [
      "an address of another machine",
      { WORKERS: "3", HOST: "192.0.2.1", APPS: JSON.stringify([app(APP)]) },
      /EADDRNOTAVAIL/,
    ],
    // As a process manager in "cluster mode" sets it.
    ["a start by node:cluster", { WORKERS: "3", NODE_UNIQUE_ID: "1" }, /^presence-gateway: WORKERS is 3/],
  ])("%s", async (_name, env, expected) => {
    const { code, errors } = await runCli([], env);
    expect([code, errors]).toEqual([1, expect.stringMatching(/^presence-gateway: [^\n]+\n$/)]);
    expect(errors).toMatch(expected);
  });
});

describe("a defect of a worker that starts is logged with its stack, and ends the gateway", () => {
  it.each([
    ["a start that throws", "throw oops();"],
    ["a rejection that nobody handles", "Promise.reject(oops()); await new Promise(() => {});"],
    [
      "an error in a handler of messages",
      "worker.receive({ get type() { throw oops(); } }); await new Promise(() => {});",
    ],
  ])("%s", async (_name, code) => {
    const source = `const oops = () => new TypeError("oops");
      export async function startGateway(_settings, _apps, _log, { worker }) { ${code} }`;
    const hooks = moduleOf(`export async function load(url, context, next) {
      if (!url.endsWith("/server/server.js") || !process.env.PRESENCE_GATEWAY_WORKER) return next(url, context);
      return { format: "module", shortCircuit: true, source: ${JSON.stringify(source)} };
    }`);
    const preload = moduleOf(`import { register } from "node:module"; register("${hooks}");`);
    const gateway = run({ APPS: JSON.stringify([app(APP)]), NODE_OPTIONS: `--import=${preload}` });
    expect(await gateway.exited).toBe(1);
    expect(gateway.output).toMatch(
      /"level":50,.*"stack":"TypeError: oops\\n {4}at .*crashed while it started/,
    );
    expect(gateway.errors).toBe("presence-gateway: a worker crashed while it started: oops\n");
  });
});

it("workers that the system does not start are the end of the gateway too", async () => {
  const preload = moduleOf(`import cluster from "node:cluster"; cluster.setupPrimary({ cwd: "/nowhere" });`);
  const gateway = run({ APPS: JSON.stringify([app(APP)]), NODE_OPTIONS: `--import=${preload}` });
  expect(await gateway.exited).toBe(1);
  expect(gateway.errors).toMatch(
    /^presence-gateway: a worker ended while it started \(spawn [^\n]* ENOENT\)\n$/,
  );
});
