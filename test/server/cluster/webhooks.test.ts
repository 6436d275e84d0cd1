import { describe, expect, it, type TestContext } from "vitest";
import { RedisServer, whyNoRedis } from "../../programs/redis-server.ts";
import { APP, TestGateway } from "../../support/gateway.ts";
import { TcpProxy } from "../../support/proxy.ts";
import { unless } from "../../support/unless.ts";
import { until } from "../../support/until.ts";
import { WEBHOOK_SECRET, WebhookCopy, WebhookReceiver } from "../../support/webhook-receiver.ts";

const LEASE_MS = 2_000;

/** A Redis, a receiver that keeps a copy, and nodes with a webhook. */
async function setUp({ onTestFinished }: TestContext) {
  const redis = await RedisServer.start();
  const receiver = await WebhookReceiver.start();
  const proxies: TcpProxy[] = [];
  const nodes: TestGateway[] = [];
  onTestFinished(async () => {
    await Promise.all(nodes.map((node) => node.stop()));
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    await receiver.stop();
    await redis.stop();
  });
  const copy = new WebhookCopy();
  receiver.answer = (response) => {
    const isRight = copy.apply(receiver.messages.at(-1)!);
    response.writeHead(200).end(isRight ? "" : '{"resync":true}');
  };
  /** A node with a way to Redis of its own. */
  const join = async () => {
    const proxy = await TcpProxy.start(redis.port);
    proxies.push(proxy);
    const node = await TestGateway.start("ws", {
      env: {
        REDIS_URL: `redis://127.0.0.1:${proxy.port}`,
        NODE_LEASE_MS: String(LEASE_MS),
        RESUME_WINDOW_MS: "60000",
        DIFF_INTERVAL_MS: "10",
      },
      app: { webhooks: [{ id: "hook", url: receiver.url, secrets: [WEBHOOK_SECRET], intervalMs: 100 }] },
    });
    nodes.push(node);
    await until(async () => (await node.http("GET", "/readyz")).status === 200);
    return { node, proxy };
  };
  const isCopyOf = async (node: TestGateway) =>
    JSON.stringify(Object.fromEntries([...copy.users].sort())) ===
    JSON.stringify(Object.fromEntries(Object.entries(await node.query({})).sort()));
  return { receiver, copy, join, isCopyOf };
}

const delivers = (node: TestGateway) => node.gateway.webhooks.statuses(APP)[0]!.delivering;
/** The views that messages were of, each once. */
const views = ({ messages }: WebhookReceiver) => [
  ...new Set(messages.map(({ data }) => ("view" in data ? data.view : ""))),
];

unless(whyNoRedis(), describe)("webhooks of two nodes on one Redis", () => {
  it.concurrent("one node delivers what happens on both, and the other goes on when it leaves", async (context) => {
    const { receiver, join, isCopyOf } = await setUp(context);
    const { node: a } = await join();
    await until(() => delivers(a));
    // Within its lease, and not after a resume window.
    await receiver.nth(1);
    const { node: b } = await join();
    const bob = await b.connect("bob");
    await bob.open({});
    await until(() => isCopyOf(a));
    expect([delivers(a), delivers(b)]).toEqual([true, false]);
    expect(views(receiver)).toHaveLength(1);
    await a.stop();
    await until(() => delivers(b));
    await until(() => views(receiver).length === 2);
    const first = receiver.messages.find(({ data }) => "view" in data && data.view === views(receiver)[1])!;
    expect(first).toMatchObject({ type: "presence.snapshot", data: { users: { bob: {} } } });
    await until(() => isCopyOf(b));
  });

  it.concurrent("another node goes on when the first is cut off, and the first goes on with it", async (context) => {
    const { receiver, join, isCopyOf } = await setUp(context);
    const { node: a, proxy } = await join();
    await until(() => delivers(a));
    const { node: b } = await join();
    await until(() => receiver.received.length > 0);
    // For `b`, this is a node that has died.
    proxy.refuse(true);
    proxy.cut();
    await until(() => delivers(b));
    await until(() => views(receiver).length === 2);
    const carol = await b.connect("carol");
    await carol.open({});
    await until(() => isCopyOf(b));
    proxy.refuse(false);
    // It is older, so it delivers again, and begins with a snapshot.
    await until(() => delivers(a) && !delivers(b));
    await until(() => isCopyOf(a));
    expect(await a.query({})).toHaveProperty("carol");
  });

  it.concurrent("while Redis is away the node that delivered goes on, and no other begins", async (context) => {
    const { receiver, join, isCopyOf } = await setUp(context);
    const nodes = [await join(), await join()];
    const [a, b] = nodes.map(({ node }) => node);
    await until(() => delivers(a!));
    for (const { proxy } of nodes) {
      proxy.refuse(true);
      proxy.cut();
    }
    const alice = await a!.connect("alice");
    await alice.open({});
    await until(() => isCopyOf(a!));
    // Longer than a lease.
    const { clock } = a!.node;
    const since = clock.now();
    await until(() => clock.now() > since + 2 * LEASE_MS);
    expect([delivers(a!), delivers(b!)]).toEqual([true, false]);
    alice.send({ type: "update", isTyping: true });
    await until(() => isCopyOf(a!));
    for (const { proxy } of nodes) proxy.refuse(false);
    await until(async () => (await b!.query({})).alice !== undefined);
    expect([delivers(a!), delivers(b!)]).toEqual([true, false]);
    expect(views(receiver)).toHaveLength(1);
  });
});
