import { cpuPerChange, enterCrowd } from "../load/crowd.ts";
import type { Contender, Effort, Scenario } from "../measure/scenario.ts";
import { Nodes, nodeKind } from "../servers/nodes.ts";
import type { ServerKind } from "../servers/server-kind.ts";

const MESSAGES: Readonly<Record<Effort, number>> = { quick: 7, normal: 14, full: 28 };
const COST = "CPU µs per change";

const onRedis = (kind: string) => `${kind}, on Redis`;
const remote = (kind: string) => `${kind}, a remote change`;

export const nodesCost: Scenario = {
  name: "nodes-cost",
  question: "What does a change cost the other nodes?",
  method:
    "The changes of `update` on a gateway without Redis, then on one of two nodes that share a Redis, " +
    "and their cost on the other node. Neither node has subscribers.",
  rounds: { quick: 1, normal: 3, full: 4 },
  warmUps: 4,
  onlyInFullRuns: true,
  targets: [
    { figure: COST, of: remote("gateway-uws"), over: "gateway-uws", atMost: 0.5 },
    { figure: COST, of: remote("gateway-uws"), over: onRedis("gateway-uws"), atMost: 0.5 },
  ],
  async contenders(options) {
    const kind = nodeKind(options);
    if (kind === undefined) return [];
    const messages = MESSAGES[options.effort];
    return (await Promise.all([alone(kind, messages), pair(kind, messages)])).flat();
  },
};

async function alone(kind: ServerKind, messages: number): Promise<Contender> {
  const server = await kind.start();
  const crowd = await enterCrowd(kind.dialect, server.port);
  return {
    name: kind.name,
    round: async () => ({ [COST]: await cpuPerChange(server, crowd, messages) }),
    async close() {
      await crowd.leave();
      await server.stop();
    },
  };
}

/** Separate contenders for the two sides of a change, because they are compared with each other. */
async function pair(kind: ServerKind, messages: number): Promise<Contender[]> {
  const nodes = await Nodes.start(kind, 2);
  const [here, there] = nodes.servers;
  const crowd = await enterCrowd(kind.dialect, here!.port);
  return [
    {
      name: onRedis(kind.name),
      baseline: kind.name,
      async round() {
        let count = 0;
        const usage = await nodes.measure(async () => {
          count = await crowd.change(messages);
        });
        return {
          [COST]: usage.cpuMicros[0]! / count,
          "CPU µs of Redis per change": usage.redisCpuMicros / count,
          "bytes to and from Redis per change": usage.redisBytes / count,
        };
      },
      async close() {},
    },
    {
      name: remote(kind.name),
      baseline: kind.name,
      async round() {
        // Counted on the other node, because changes of one session may be merged on the way.
        const before = await changesIn(there!.port);
        const { cpuMicros } = await nodes.measure(() => crowd.change(messages));
        return { [COST]: cpuMicros[1]! / ((await changesIn(there!.port)) - before) };
      },
      async close() {
        await crowd.leave();
        await nodes.stop();
      },
    },
  ];
}

/** Number of changes that a node has read from Redis so far. */
async function changesIn(port: number): Promise<number> {
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return Number(/^presence_cluster_changes_in_total (\d+)$/m.exec(metrics)![1]);
}
