import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { keysOf } from "../../../src/server/cluster/redis-scripts.ts";
import { ownPort } from "../../programs/own-port.ts";
import { RedisServer, whyNoRedis } from "../../programs/redis-server.ts";
import { TestGateway } from "../../support/gateway.ts";
import { TcpProxy } from "../../support/proxy.ts";
import { tell } from "../../support/redis-cluster.ts";
import { unless } from "../../support/unless.ts";
import { until } from "../../support/until.ts";

const PAGE = readFileSync(new URL("../../../docs/operations.md", import.meta.url), "utf8");
const section = (title: string) => PAGE.split("\n## ").find((each) => each.startsWith(title))!;
const firstCells = (title: string) =>
  [...section(title).matchAll(/^\| (`.*?) \|/gm)].flatMap(([, cell]) =>
    [...cell!.matchAll(/`(.*?)`/g)].map((match) => match[1]!),
  );

const LEASE_MS = 2_000;

it("every metric of a cluster is on the page for operators, and no other", async ({ onTestFinished }) => {
  const REDIS_URL = `redis://127.0.0.1:${await ownPort()}`;
  const gateway = await TestGateway.start("ws", { env: { REDIS_URL } });
  onTestFinished(() => gateway.stop());
  const { text } = await gateway.http("GET", "/metrics");
  const shown = [...text.matchAll(/^# TYPE presence_cluster_(\w+)/gm)].map((match) => match[1]!);
  const told = firstCells("Metrics").map((name) => name.replace(/\{.*/, ""));
  expect(told.filter((name) => name !== "presence_cluster_").sort()).toEqual(shown.sort());
});

it("every line about Redis' memory on the page for operators is one that nodes log", () => {
  const source = ["cluster", "redis-memory"].map((name) =>
    readFileSync(new URL(`../../../src/server/cluster/${name}.ts`, import.meta.url), "utf8"),
  );
  // Lines of all logs name what holds them.
  const said = source
    .join("")
    .replaceAll(/\$\{logs\.name\}/g, "Redis")
    .replaceAll("`", '"');
  const lines = firstCells("Redis' memory").filter((cell) => cell.includes(" "));
  expect(lines).toHaveLength(4);
  for (const line of lines) expect(said).toContain(`"${line}"`);
});

unless(whyNoRedis(), describe)("two nodes, one of which is lost for a while", () => {
  let redis: RedisServer;
  let network: TcpProxy;
  let nodes: TestGateway[];

  async function start(port: number): Promise<TestGateway> {
    const env = {
      REDIS_URL: `redis://127.0.0.1:${port}`,
      NODE_LEASE_MS: String(LEASE_MS),
      RESUME_WINDOW_MS: "1000",
    };
    const node = await TestGateway.start("ws", { env });
    nodes.push(node);
    await until(async () => (await statusOf(node)) === "ready");
    return node;
  }

  beforeEach(async () => {
    nodes = [];
    redis = await RedisServer.start();
    network = await TcpProxy.start(redis.port);
  });
  afterEach(async () => {
    await Promise.all(nodes.map((node) => node.stop()));
    await network.stop();
    await redis.stop();
  });

  const statusOf = async (node: TestGateway): Promise<string> =>
    (await node.http("GET", "/readyz")).json.status;
  const metric = async (node: TestGateway, name: string): Promise<number> => {
    const { text } = await node.http("GET", "/metrics");
    const line = text.split("\n").find((each) => each.startsWith(`presence_cluster_${name} `));
    return Number(line?.split(" ").at(-1));
  };
  /** Log lines about the cluster, in order: those with a shard, and others that the page lists. */
  const linesOf = (node: TestGateway) =>
    node.log
      .map((line) => JSON.parse(line))
      .filter(({ msg, shard }) => shard !== undefined || firstCells("Log").includes(msg));
  const messagesOf = (node: TestGateway) => linesOf(node).map(({ msg }) => msg as string);

  it("log each transition, and count it", async () => {
    const a = await start(redis.port);
    const b = await start(network.port);
    const alice = await b.connect("alice");
    await alice.open({});
    await until(() => a.presence().table.counts().users === 1);
    await until(async () => (await metric(b, "lag_seconds_count")) > 0);
    for (const node of nodes) {
      const left = await metric(node, "lease_seconds");
      expect(left).toBeGreaterThan(0);
      expect(left).toBeLessThanOrEqual(LEASE_MS / 1_000);
    }

    network.refuse(true);
    network.cut();
    await until(async () => (await metric(a, "nodes_declared_dead_total")) === 1);
    expect(await metric(a, "nodes")).toBe(1);
    expect(await metric(b, "degraded")).toBe(1);
    expect(await metric(b, "lease_seconds")).toBe(0);
    network.refuse(false);
    await until(async () => (await statusOf(b)) === "ready" && (await metric(a, "nodes")) === 2);
    expect(await metric(b, "expulsions_total")).toBe(1);
    expect(await metric(b, "joins_total")).toBe(2);
    expect(await metric(b, "disconnections_total")).toBe(1);
    expect(await metric(b, "degraded_seconds_total")).toBeGreaterThan(LEASE_MS / 2_000);

    // An entry of another time, and then all entries gone.
    const { log } = keysOf(0);
    await tell(redis, "XADD", log, "*", "batch", "1 1 w", "s", "[1]");
    await until(async () => (await metric(a, 'resyncs_total{reason="gap"}')) === 1);
    expect(await metric(a, "gaps_total")).toBe(1);
    expect(await metric(a, "bad_input_total")).toBe(0);
    await tell(redis, "XADD", log, "*", "junk", "junk");
    await until(async () => (await metric(a, "bad_input_total")) > 0);
    await until(async () => (await statusOf(a)) === "ready" && (await statusOf(b)) === "ready");
    await b.stop();
    await until(async () => (await metric(a, "nodes_lost_total")) === 2);
    expect(await metric(a, "nodes_declared_dead_total")).toBe(1);

    const said = messagesOf(b);
    expect(said.slice(0, 3)).toEqual(["Redis is connected", "reading all rows", "joined the cluster"]);
    const lost = said.findIndex((line) => line.startsWith("connection to Redis lost"));
    const inOrder = [
      /^degraded/,
      /^Redis is connected/,
      /^expelled from the cluster/,
      /^joined the cluster/,
      /^in sync again/,
    ];
    const after = said.slice(lost).filter((line) => inOrder.some((pattern) => pattern.test(line)));
    expect(after.slice(0, inOrder.length)).toEqual(inOrder.map((pattern) => expect.stringMatching(pattern)));
    expect(said.at(-1)).not.toMatch(/^degraded/);
    const resyncs = linesOf(a).filter(({ msg }) => msg === "reading all rows");
    expect(resyncs[0]).toMatchObject({ shard: 0, reason: "start", level: 30 });
    expect(resyncs).toContainEqual(expect.objectContaining({ shard: 0, reason: "gap", level: 40 }));
    expect(linesOf(a).find(({ msg }) => msg.startsWith("a node was declared dead"))).toMatchObject({
      nodeId: b.node.nodeId,
      silentMs: expect.any(Number),
    });
    expect([...new Set([...messagesOf(a), ...said])].sort()).toEqual(firstCells("Log").sort());
  });
});
