import { LiveUsers } from "../load/live-users.ts";
import { paced } from "../load/paced.ts";
import type { Latencies } from "../measure/latencies.ts";
import type { Contender, Effort, Scenario } from "../measure/scenario.ts";
import { appToken } from "../servers/app.ts";
import { Nodes, nodeKind } from "../servers/nodes.ts";
import type { ServerKind } from "../servers/server-kind.ts";

interface Size {
  readonly filters: number;
  readonly rates: readonly number[];
  readonly seconds: number;
}

const SIZES: Readonly<Record<Effort, Size>> = {
  quick: { filters: 100, rates: [1_000], seconds: 0.5 },
  normal: { filters: 1_000, rates: [1_000, 10_000], seconds: 1.25 },
  full: { filters: 1_000, rates: [1_000, 10_000], seconds: 5 },
};

const DELAY = "from event to diff";

const at = (kind: string, rate: number) => `${kind}, ${rate.toLocaleString("en-US")} a second`;

export const nodesLatency: Scenario = {
  name: "nodes-latency",
  question: "How long does a change take from one node to the watchers on another node?",
  method:
    "20,000 sessions on one of two nodes that share a Redis gain and lose the focus, each at its due " +
    "time. 1,000 filters on the other node watch 20 of them each, so each change is a diff to one " +
    "socket. (Quick runs: a tenth of them, and only the lower rate.)",
  rounds: { quick: 1, normal: 2, full: 3 },
  warmUps: 1,
  onlyInFullRuns: true,
  targets: [
    { figure: `${DELAY}, ms p50`, of: at("gateway-uws", 1_000), atMost: 15 },
    { figure: `${DELAY}, ms p99`, of: at("gateway-uws", 1_000), atMost: 100 },
  ],
  async contenders(options) {
    const kind = nodeKind(options);
    return kind === undefined ? [] : pair(kind, SIZES[options.effort]);
  },
};

/** One contender per rate. All of them share the nodes. */
async function pair(kind: ServerKind, { filters, rates, seconds }: Size): Promise<Contender[]> {
  const nodes = await Nodes.start(kind, 2);
  const [here, there] = nodes.servers;
  const plan = { filters, watchers: 1, watchPort: there!.port };
  const live = await LiveUsers.open(here!.port, await appToken(), plan);
  let isOpen = true;
  return rates.map((rate) => ({
    name: at(kind.name, rate),
    async round() {
      const events = rate * seconds;
      let latencies: Latencies | undefined;
      const usage = await nodes.measure(async () => {
        latencies = await paced(live, rate, seconds * 1_000);
      });
      return {
        ...latencies!.figures(DELAY),
        "Redis commands per change": usage.redisCommands / events,
        "bytes to and from Redis per change": usage.redisBytes / events,
        "CPU µs of Redis per change": usage.redisCpuMicros / events,
        "CPU µs per change, its own node": usage.cpuMicros[0]! / events,
        "CPU µs per change, the other node": usage.cpuMicros[1]! / events,
      };
    },
    async close() {
      if (!isOpen) return;
      isOpen = false;
      await live.close();
      await nodes.stop();
    },
  }));
}
