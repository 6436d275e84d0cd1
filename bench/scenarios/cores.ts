import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { mintToken } from "../../src/auth/mint.ts";
import { installedVersion, ReverseProxy } from "../../test/support/reverse-proxy.ts";
import { enterCrowdBy, homeOf } from "../load/crowd.ts";
import { LightSocket } from "../load/light-socket.ts";
import type { Contender, Effort, Scenario } from "../measure/scenario.ts";
import { appIdOf, SECRET } from "../servers/app.ts";
import { type RunningServer, type ServerKind, shortList } from "../servers/server-kind.ts";

const MESSAGES: Readonly<Record<Effort, number>> = { quick: 14, normal: 35, full: 56 };
const APPS = 32;
/** One core is for the load, and one for HAProxy; on small machines they share. */
const PROCESSES = Math.max(2, Math.min(8, cpus().length - 2));

const COST = "CPU µs per update";
const nameOf = (kind: string, processes: number) =>
  `${kind}, ${processes === 1 ? "one process" : `${processes} processes`}`;

export const cores: Scenario = {
  name: "cores",
  question: "What does every core of a machine bring?",
  method: `The updates of \`update\`, in ${APPS} apps, through HAProxy with \`test/proxies/haproxy-processes.cfg\`: one port, and an app is in one of the processes. A process uses one core, so a core does a million by the CPU µs of an update; where the cost stays with more processes, cores add up. Rates by the clock show it only on machines with cores for all processes, HAProxy and the load.`,
  rounds: { quick: 1, normal: 3, full: 9 },
  warmUps: 1,
  targets: [
    {
      figure: COST,
      of: nameOf("gateway-uws", PROCESSES),
      over: nameOf("gateway-uws", 1),
      atMost: 1.1,
    },
  ],
  async contenders({ kinds, effort, note }) {
    const version = installedVersion("haproxy");
    note(version ?? "HAProxy is missing: apt-get install haproxy");
    if (version === undefined) return [];
    const contenders: Contender[] = [];
    for (const kind of shortList(kinds, effort).filter(({ role }) => role === "gateway"))
      for (const processes of [1, PROCESSES])
        contenders.push(await contender(kind, processes, MESSAGES[effort]));
    return contenders;
  },
};

async function contender(kind: ServerKind, processes: number, messages: number): Promise<Contender> {
  const servers: RunningServer[] = [];
  for (let i = 0; i < processes; i++)
    servers.push(await kind.start({ BENCH_APPS: String(APPS), TRUST_PROXY: "127.0.0.1" }));
  const ports = servers.map(({ port }) => port);
  const proxy = await ReverseProxy.start("haproxy", ports, { file: "haproxy-processes.cfg" });
  const crowd = await enterCrowdBy(async (i) => {
    const appId = appIdOf(i % APPS);
    const token = await mintToken(appId, SECRET, { tokenType: "user", sub: `user-${i}` });
    const socket = await LightSocket.open(proxy.port, `/v1/${appId}/realtime`);
    return kind.dialect.enter(socket, token, homeOf(i));
  }, APPS);
  const cpuMicros = async () => {
    const usages = await Promise.all(servers.map((server) => server.usage()));
    return usages.reduce((sum, { cpuMicros }) => sum + cpuMicros, 0);
  };
  return {
    name: nameOf(kind.name, processes),
    ...(processes === 1 ? {} : { floor: nameOf(kind.name, 1) }),
    async round() {
      const [before, proxyBefore] = [await cpuMicros(), cpuMicrosOf(proxy.pid)];
      const startedAt = performance.now();
      const count = await crowd.change(messages);
      const seconds = (performance.now() - startedAt) / 1_000;
      const cost = ((await cpuMicros()) - before) / count;
      return {
        [COST]: cost,
        "updates a second and core": 1e6 / cost,
        "CPU µs of HAProxy per update": (cpuMicrosOf(proxy.pid) - proxyBefore) / count,
        "updates a second": count / seconds,
      };
    },
    async close() {
      await crowd.leave();
      await proxy.stop();
      for (const server of servers) await server.stop();
    },
  };
}

/** What another process has used, from the kernel, which counts in hundredths of a second. */
function cpuMicrosOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const [user, system] = stat.slice(stat.lastIndexOf(")")).split(" ").slice(12, 14).map(Number);
  return (user! + system!) * 10_000;
}
