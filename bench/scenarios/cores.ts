import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { mintToken } from "../../src/server/auth/mint.ts";
import { RedisServer } from "../../test/programs/redis-server.ts";
import { installedVersion, ReverseProxy } from "../../test/programs/reverse-proxy.ts";
import { enterCrowdBy, homeOf } from "../load/crowd.ts";
import { LightSocket } from "../load/light-socket.ts";
import type { Contender, Effort, Scenario } from "../measure/scenario.ts";
import { shortList } from "../measure/short-list.ts";
import { appIdOf, SECRET } from "../servers/app.ts";
import { ready } from "../servers/nodes.ts";
import { redisVersion } from "../servers/redis.ts";
import type { RunningServer, ServerKind } from "../servers/server-kind.ts";

const MESSAGES: Readonly<Record<Effort, number>> = { quick: 14, normal: 21, full: 28 };
const APPS = 32;
/** One core is for the load and one for HAProxy. On small machines all share the cores. */
const PROCESSES = Math.max(2, Math.min(8, cpus().length - 2));

const COST = "CPU µs per update";

/** Processes behind HAProxy. Each app is in one process or, if they share a Redis, in all of them. */
interface Setup {
  readonly name: string;
  readonly processes: number;
  readonly sharesRedis: boolean;
}

const ONE: Setup = { name: "one process", processes: 1, sharesRedis: false };
const HASHED: Setup = { name: `${PROCESSES} processes`, processes: PROCESSES, sharesRedis: false };
const SHARED: Setup = {
  name: `${PROCESSES} processes on one Redis`,
  processes: PROCESSES,
  sharesRedis: true,
};

const nameOf = (kind: string, setup: Setup) => `${kind}, ${setup.name}`;

export const cores: Scenario = {
  name: "cores",
  question: "What does each core of a machine add?",
  method:
    `The updates of \`update\` in ${APPS} apps, through HAProxy with ` +
    "`deploy/proxies/haproxy-processes.cfg`: one port, and each app is in one of the processes. Then " +
    "processes that share a Redis, with clients of every app on each process. A process uses one core, " +
    "so a core handles a million updates divided by the CPU µs of an update. If the cost stays equal " +
    "with more processes, cores add up. Rates show this only on machines with enough cores for all " +
    "processes, HAProxy and the load.",
  rounds: { quick: 1, normal: 2, full: 4 },
  warmUps: 1,
  targets: [
    { figure: COST, of: nameOf("gateway-uws", HASHED), over: nameOf("gateway-uws", ONE), atMost: 1.1 },
  ],
  async contenders({ kinds, effort, addNote }) {
    const haproxy = installedVersion("haproxy");
    addNote(haproxy ?? "HAProxy is missing: apt-get install haproxy");
    if (haproxy === undefined) return [];
    const redis = redisVersion();
    addNote(redis ?? "Redis is missing: apt-get install redis-server");
    const setups = redis === undefined ? [ONE, HASHED] : [ONE, HASHED, SHARED];
    const contenders: Contender[] = [];
    for (const kind of shortList(kinds, effort).filter(({ role }) => role === "gateway"))
      for (const setup of setups) contenders.push(await contender(kind, setup, MESSAGES[effort]));
    return contenders;
  },
};

async function contender(kind: ServerKind, setup: Setup, messages: number): Promise<Contender> {
  const { processes, sharesRedis } = setup;
  const redis = sharesRedis ? await RedisServer.start() : undefined;
  const servers: RunningServer[] = [];
  for (let i = 0; i < processes; i++)
    servers.push(
      await kind.start({
        BENCH_APPS: String(APPS),
        TRUST_PROXY: "127.0.0.1",
        ...(redis && { REDIS_URL: redis.url }),
      }),
    );
  await Promise.all(servers.map(({ port }) => ready(port)));
  const ports = servers.map(({ port }) => port);
  const proxy = await ReverseProxy.start("haproxy", ports, {
    file: "haproxy-processes.cfg",
    // Without these lines HAProxy uses round robin.
    ...(sharesRedis && { without: /balance hash|hash-type/ }),
  });
  const crowd = await enterCrowdBy(async (i) => {
    const appId = appIdOf(i % APPS);
    const token = await mintToken(appId, SECRET, { tokenType: "user", sub: `user-${i}` });
    const socket = await LightSocket.open(proxy.port, `/v1/${appId}/realtime`);
    return kind.dialect.enter(socket, token, homeOf(i));
  }, APPS);

  async function cpuMicros(): Promise<{ gateways: number; haproxy: number; redis: number }> {
    // Time for pending changes to reach the other processes.
    if (redis !== undefined) await delay(500);
    const usages = await Promise.all(servers.map((server) => server.usage()));
    return {
      gateways: usages.reduce((sum, { cpuMicros }) => sum + cpuMicros, 0),
      haproxy: cpuMicrosOf(proxy.pid),
      redis: redis === undefined ? 0 : cpuMicrosOf(redis.pid),
    };
  }

  return {
    name: nameOf(kind.name, setup),
    ...(setup === ONE ? {} : { baseline: nameOf(kind.name, ONE) }),
    async round() {
      const before = await cpuMicros();
      const startedAt = performance.now();
      const count = await crowd.change(messages);
      const seconds = (performance.now() - startedAt) / 1_000;
      const after = await cpuMicros();
      const cost = (after.gateways - before.gateways) / count;
      return {
        [COST]: cost,
        "updates a second and core": 1e6 / cost,
        "CPU µs of HAProxy per update": (after.haproxy - before.haproxy) / count,
        ...(redis && { "CPU µs of Redis per update": (after.redis - before.redis) / count }),
        "updates a second": count / seconds,
      };
    },
    async close() {
      await crowd.leave();
      await proxy.stop();
      for (const server of servers) await server.stop();
      await redis?.stop();
    },
  };
}

/** CPU time of another process. The kernel counts it in hundredths of a second. */
function cpuMicrosOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const [user, system] = stat.slice(stat.lastIndexOf(")")).split(" ").slice(12, 14).map(Number);
  return (user! + system!) * 10_000;
}
