import { enterCrowdBy, homeOf } from "../load/crowd.ts";
import { enterNew } from "../load/dialect.ts";
import type { Contender, Effort, Scenario } from "../measure/scenario.ts";
import { userToken } from "../servers/app.ts";
import { Nodes, nodeKind } from "../servers/nodes.ts";
import type { ServerKind } from "../servers/server-kind.ts";

const MESSAGES: Readonly<Record<Effort, number>> = { quick: 0, normal: 14, full: 14 };
const COUNTS = [1, 2, 3];
const COMMANDS = "Redis commands per node and 5 ms";

const of = (kind: string, count: number) => `${kind}, ${count === 1 ? "1 node" : `${count} nodes`}`;

export const nodesThroughput: Scenario = {
  name: "nodes-throughput",
  question: "How many changes per second can one, two and three nodes process together?",
  method:
    "The updates of `update` in one app, with clients on every node. Each node processes its own " +
    "changes and those of all other nodes. The first figure uses the CPU of the busiest node, as if " +
    "each node had a core to itself. The second uses elapsed time, while nodes, Redis and load share " +
    "the machine.",
  rounds: { quick: 0, normal: 2, full: 2 },
  warmUps: 1,
  onlyInFullRuns: true,
  targets: COUNTS.map((count) => ({ figure: COMMANDS, of: of("gateway-uws", count), atMost: 1 })),
  async contenders(options) {
    const { effort, addNote } = options;
    const kind = effort === "quick" ? undefined : nodeKind(options);
    if (effort === "quick") addNote("Not in the quick form.");
    if (kind === undefined) return [];
    return Promise.all(COUNTS.map((count) => contender(kind, count, MESSAGES[effort])));
  },
};

async function contender(kind: ServerKind, count: number, messages: number): Promise<Contender> {
  const nodes = await Nodes.start(kind, count);
  const crowd = await enterCrowdBy(async (i) => {
    const { port } = nodes.servers[i % count]!;
    return enterNew(kind.dialect, port, await userToken(`user-${i}`), homeOf(i));
  }, count);
  return {
    name: of(kind.name, count),
    ...(count === 1 ? {} : { baseline: of(kind.name, 1) }),
    async round() {
      let updates = 0;
      const usage = await nodes.measure(async () => {
        updates = await crowd.change(messages);
      });
      return {
        "updates a second, a core for each node": (updates * 1e6) / Math.max(...usage.cpuMicros),
        "updates a second": (updates * 1_000) / usage.ms,
        [COMMANDS]: usage.redisCommands / count / (usage.ms / 5),
        "CPU µs of Redis per update": usage.redisCpuMicros / updates,
        "bytes to and from Redis per update": usage.redisBytes / updates,
      };
    },
    async close() {
      await crowd.leave();
      await nodes.stop();
    },
  };
}
