import { expect, it, type TestContext } from "vitest";
import type { AppConfig } from "../../../src/server/auth/app.ts";
import { mintToken } from "../../../src/server/auth/mint.ts";
import { RedisServer, whyNoRedis } from "../../programs/redis-server.ts";
import { APP, SECRET, TestGateway } from "../../support/gateway.ts";
import { unless } from "../../support/unless.ts";
import { until } from "../../support/until.ts";

const MINE: AppConfig = { id: APP, secrets: [SECRET] };
/** In the shard of the other app, and in others. */
const MORE: AppConfig[] = Array.from({ length: 6 }, (_, i) => ({ id: `more-${i}`, secrets: [SECRET] }));

async function setUp({ onTestFinished }: TestContext) {
  const redis = await RedisServer.start();
  const nodes: TestGateway[] = [];
  onTestFinished(async () => {
    await Promise.all(nodes.map((node) => node.stop()));
    await redis.stop();
  });
  return async (apps: readonly AppConfig[] = []): Promise<TestGateway> => {
    const env = { REDIS_URL: redis.url, REDIS_SHARDS: "4", DIFF_INTERVAL_MS: "10" };
    const node = await TestGateway.start("ws", { env, apps });
    nodes.push(node);
    await until(async () => (await node.http("GET", "/readyz")).status === 200);
    return node;
  };
}

const usersOf = async (node: TestGateway, appId: string): Promise<string[]> =>
  Object.keys((await node.http("POST", `/v1/${appId}/presences`, {})).json.data ?? {});

async function openIn(node: TestGateway, appId: string, userId: string) {
  const client = await node.socket({ appId });
  client.send({ type: "connect", token: await mintToken(appId, SECRET, { tokenType: "user", sub: userId }) });
  await client.next("connected");
  await client.open({});
  return client;
}

unless(whyNoRedis(), it)("each node of a cluster serves the apps that it has read", async (context) => {
  const start = await setUp(context);
  const [a, b] = [await start(MORE), await start()];
  await openIn(a, APP, "alice");
  for (const { id } of MORE) await openIn(a, id, `of-${id}`);
  await until(async () => (await usersOf(b, APP)).length === 1);

  // The other node has left out the sessions of these apps until now.
  b.gateway.reload([MINE, ...MORE]);
  for (const { id } of MORE) {
    await until(async () => (await usersOf(b, id)).join() === `of-${id}`);
    await openIn(b, id, "bob");
    await until(async () => (await usersOf(a, id)).length === 2);
  }
  expect(await usersOf(b, APP)).toEqual(["alice"]);
  await until(() => !b.node.isDegraded);

  // What this node has opened ends with the app. The other one serves it as before.
  b.gateway.reload([MINE]);
  for (const { id } of MORE) await until(async () => (await usersOf(a, id)).join() === `of-${id}`);
  expect((await b.http("GET", `/v1/${MORE[0]!.id}/stats`)).status).toBe(404);
  await until(() => b.node.debugCounts().retiredApps === 0);

  // A second time, with nothing left of the first.
  b.gateway.reload([MINE, ...MORE]);
  for (const { id } of MORE) await until(async () => (await usersOf(b, id)).join() === `of-${id}`);
  expect(b.node.telemetry.appReloads).toBe(3);
});
