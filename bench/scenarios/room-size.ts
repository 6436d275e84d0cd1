import { EVENTS_PER_SECOND, READ, TypingRoom } from "../load/typing-room.ts";
import type { Contender, Effort, Figures, Scenario } from "../measure/scenario.ts";
import { shortListOfGateways } from "../measure/short-list.ts";
import type { ServerKind } from "../servers/server-kind.ts";

const SIZES: Readonly<Record<Effort, readonly number[]>> = {
  quick: [100, 1_000],
  normal: [100, 1_000, 5_000, 15_000],
  full: [100, 300, 1_000, 3_000, 5_000, 10_000, 15_000],
};
const MS: Readonly<Record<Effort, number>> = { quick: 1_000, normal: 2_000, full: 2_000 };
const WARM_UP_MS = 400;

const CPU = "CPU, % of a core";
const DELAY = "from event to diff";

export const roomSize: Scenario = {
  name: "room-size",
  question: "How does a busy room behave as it grows, from 100 to 15,000 subscribers?",
  method:
    `The typists of burst, ${EVENTS_PER_SECOND.toLocaleString("en")} events per second, with the default ` +
    "`DIFF_INTERVAL_MS`. A view whose flush is expensive rests in proportion to what that has cost, so a " +
    "large room gets fewer diffs with more in each, and the rest of the process goes on. The latency is " +
    `that of ${READ} of the subscribers. Each size has a server of its own. (Quick runs: up to 1,000.)`,
  rounds: { quick: 1, normal: 1, full: 1 },
  warmUps: 0,
  onlyInFullRuns: true,
  targets: [{ figure: CPU, of: nameOf("gateway-uws", 15_000), atMost: 60 }],
  async contenders({ kinds, effort }) {
    return shortListOfGateways(kinds, effort).flatMap((kind) =>
      SIZES[effort].map((subscribers) => contender(kind, subscribers, MS[effort])),
    );
  },
};

function nameOf(kind: string, subscribers: number): string {
  return `${kind}, ${subscribers.toLocaleString("en")}`;
}

/** Each round opens and closes its sockets: one process cannot open enough files for all rooms. */
function contender(kind: ServerKind, subscribers: number, ms: number): Contender {
  return {
    name: nameOf(kind.name, subscribers),
    async round(): Promise<Figures> {
      const server = await kind.start();
      const room = await TypingRoom.open(kind, server.port, subscribers);
      try {
        await room.type(WARM_UP_MS);
        const received = () => room.received;
        const receivedBefore = received();
        const before = await server.usage();
        const latencies = await room.type(ms);
        const { cpuMicros } = await server.usage();
        const diffs = received() - receivedBefore;
        return {
          [CPU]: (cpuMicros - before.cpuMicros) / (10 * ms),
          "CPU µs per delivery": (cpuMicros - before.cpuMicros) / diffs,
          "diffs a second": diffs / subscribers / (ms / 1_000),
          ...latencies.figures(DELAY),
        };
      } finally {
        await room.close();
        await server.stop();
      }
    },
    close: async () => {},
  };
}
