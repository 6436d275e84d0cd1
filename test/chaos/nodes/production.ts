import { isDeepStrictEqual } from "node:util";
import { expect, type TestContext } from "vitest";
import { mintToken } from "../../../src/server/auth/mint.ts";
import { until } from "../../support/until.ts";
import { EVERYTHING } from "../app-under-chaos.ts";
import { Swarm } from "../swarm.ts";
import { WireClient } from "../wire-client.ts";
import { ClusterNode } from "./cluster-node.ts";
import { RedisUnderTest } from "./redis-under-test.ts";
import { Witness } from "./witness.ts";

// Shared by the suites that use nodes with production periods.

export const LEASE_MS = 10_000;
export const WINDOW_MS = 15_000;
/** Extra time that the contract allows beyond lease and window. */
export const SLACK_MS = 2_000;
const APP = "app";
const SECRET = "the secret of an app on several nodes";

export async function start(context: TestContext, env: Record<string, string> = {}) {
  const redis = await RedisUnderTest.start();
  context.onTestFinished(() => redis.dispose());
  const nodes: ClusterNode[] = [];
  context.onTestFinished(async () => {
    await Promise.all(nodes.map((node) => node.dispose()));
    expect(nodes.flatMap(({ oracle }) => oracle.violations)).toEqual([]);
  });
  for (const transport of ["uws", "ws"]) {
    const settings = {
      TRANSPORT: transport,
      APPS: JSON.stringify([{ id: APP, secrets: [SECRET] }]),
      MAX_CONNECTIONS_PER_IP: "20000",
      MESSAGES_PER_SECOND: "100000",
      ...env,
    };
    const name = `node over ${transport}`;
    nodes.push(
      await ClusterNode.start({ name, redisPort: redis.address.port, env: settings, canaries: [SECRET] }),
    );
  }
  const [a, b] = nodes as [ClusterNode, ClusterNode];
  const token = await mintToken(APP, SECRET, { tokenType: "app" });
  const connect = async (node: ClusterNode) => {
    const client = await WireClient.connect(node.gateway.url, APP, token);
    context.onTestFinished(() => client.terminate());
    return client;
  };
  const witness = async (node: ClusterNode) => {
    const made = await Witness.on(node.gateway.url, APP, token);
    context.onTestFinished(() => made.terminate());
    return made;
  };
  /** Clients of a node in another process, each with a session. */
  const swarm = async (node: ClusterNode, prefix: string, count: number) => {
    const made = new Swarm({ port: node.gateway.port, appId: APP, token, prefix, count });
    context.onTestFinished(() => made.kill());
    await made.order({ kind: "connect" });
    await made.order({ kind: "open", overMs: 1_000 });
    return made;
  };
  const query = (node: ClusterNode, filter: object = EVERYTHING) => node.gateway.query(APP, SECRET, filter);
  const count = async (node: ClusterNode) => Object.keys(await query(node)).length;
  const kick = (node: ClusterNode, userId: string) =>
    fetch(`${node.gateway.url}/v1/${APP}/users/${userId}/sessions`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${SECRET}` },
    });
  /** Resolves with the time until both are ready and respond equally. */
  const agreed = async (patienceMs: number): Promise<number> => {
    const from = Date.now();
    await until(async () => {
      const statuses = [await a.status(), await b.status()];
      return (
        statuses.every((status) => status === "ready") && isDeepStrictEqual(await query(a), await query(b))
      );
    }, patienceMs);
    return Date.now() - from;
  };
  const rss = async (node: ClusterNode) => (await node.gateway.node(APP, SECRET)).rssBytes;
  return { redis, a, b, connect, witness, swarm, query, count, kick, agreed, rss };
}
