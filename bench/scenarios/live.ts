import { LiveUsers } from "../load/live-users.ts";
import { arrivals, paced } from "../load/paced.ts";
import { Latencies } from "../measure/latencies.ts";
import type { Contender, Effort, Scenario } from "../measure/scenario.ts";
import { shortList } from "../measure/short-list.ts";
import { appToken } from "../servers/app.ts";
import type { ServerKind } from "../servers/server-kind.ts";

interface Size {
  readonly filters: number;
  readonly transitionsPerSecond: number;
  readonly seconds: number;
}

const SIZES: Readonly<Record<Effort, Size>> = {
  quick: { filters: 1_000, transitionsPerSecond: 1_000, seconds: 1 },
  normal: { filters: 10_000, transitionsPerSecond: 10_000, seconds: 2 },
  full: { filters: 10_000, transitionsPerSecond: 10_000, seconds: 2 },
};
/** Number of pending transitions at saturation. */
const WINDOW = 1_000;

const KEPT_UP = "kept up with 10,000 a second, %";
const DELAY = "from event to diff";

export const live: Scenario = {
  name: "live",
  question: "How many transitions per second reach their watchers, with 10,000 filters of 20 users each?",
  method:
    "5,000 sockets hold the sessions of 40 users each and watch two filters of 20 users of other " +
    "sockets. Each gain or loss of focus is a diff to one socket. First, 10,000 transitions per second, " +
    `each at its due time. Then as many as possible, with ${WINDOW} pending at any time; the load then ` +
    "uses its share of the machine too. Full runs also have users with five watchers. (Quick runs: " +
    "1,000 of each.)",
  rounds: { quick: 1, normal: 2, full: 3 },
  warmUps: 1,
  targets: [
    { figure: KEPT_UP, of: "gateway-uws", atLeast: 95 },
    { figure: `${DELAY}, ms p99`, of: "gateway-uws", atMost: 100 },
  ],
  async contenders({ kinds, effort }) {
    const contenders: Contender[] = [];
    for (const kind of shortList(kinds, effort)) {
      if (kind.role !== "gateway") continue;
      contenders.push(await contender(kind, kind.name, SIZES[effort], 1));
      // Only for one of them: more sockets would exceed the default limit of open files.
      if (effort === "full" && contenders.length === 1)
        contenders.push(await contender(kind, `${kind.name}, five watchers`, SIZES[effort], 5));
    }
    return contenders;
  },
};

async function contender(kind: ServerKind, name: string, size: Size, watchers: number): Promise<Contender> {
  const { filters, transitionsPerSecond, seconds } = size;
  const server = await kind.start();
  const live = await LiveUsers.open(server.port, await appToken(), { filters, watchers });
  const transitions = transitionsPerSecond * seconds;

  async function saturated(): Promise<void> {
    live.measure(new Latencies());
    let left = transitions;
    const send = (count: number) => {
      for (let i = 0; i < count && left > 0; i++, left--) live.transition(performance.now());
    };
    const arrived = arrivals(live, transitions, send);
    send(WINDOW);
    await arrived;
  }

  return {
    name,
    async round() {
      const start = await server.usage();
      const startedAt = performance.now();
      const latencies = await paced(live, transitionsPerSecond, seconds * 1_000);
      const pacedMs = performance.now() - startedAt;
      const between = await server.usage();
      const saturatedAt = performance.now();
      await saturated();
      const saturatedMs = performance.now() - saturatedAt;
      const end = await server.usage();
      return {
        "transitions a second at saturation": (transitions * 1_000) / saturatedMs,
        [KEPT_UP]: Math.min(100, (100_000 * seconds) / pacedMs),
        ...latencies.figures(DELAY),
        "CPU µs per transition": (between.cpuMicros - start.cpuMicros) / transitions,
        "CPU µs per transition at saturation": (end.cpuMicros - between.cpuMicros) / transitions,
      };
    },
    async close() {
      await live.close();
      await server.stop();
    },
  };
}
