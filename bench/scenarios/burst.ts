import { EVENTS_PER_SECOND, EVERYBODY_TWICE_MS, READ, TypingRoom } from "../load/typing-room.ts";
import type { Contender, Effort, Scenario } from "../measure/scenario.ts";
import { shortList } from "../measure/short-list.ts";
import { labelOf, type ServerKind } from "../servers/server-kind.ts";

const SUBSCRIBERS = 1_000;
/** Durations after which every typist has its initial state again. */
const SECONDS: Readonly<Record<Effort, number>> = { quick: 1, normal: 1.2, full: 2 };
const DIFF_INTERVAL_MS = 50;
/** Peers send each event separately, a million texts per second. Even this short time takes them seconds. */
const PEER_MS = EVERYBODY_TWICE_MS;

const COST = "CPU µs per event and subscriber";
const DELAY = "from event to diff";
const TEXTS = "texts per subscriber and second";

export const burst: Scenario = {
  name: "burst",
  question: "What does a busy room cost? 1,000 events per second from 100 typists, 1,000 subscribers.",
  method:
    "Typists begin and stop typing, each ten times per second, on their own sockets. Every subscriber " +
    `receives the merged changes once per ${DIFF_INTERVAL_MS} ms (\`DIFF_INTERVAL_MS\`). The baseline ` +
    `publishes the bytes of such a diff as often. The latency is that of ${READ} of the subscribers. ` +
    "Peers send each event separately, a million texts per second, which they cannot sustain. Their " +
    `events come within ${PEER_MS} ms, so their latency shows how the queue grew.`,
  rounds: { quick: 1, normal: 2, full: 3 },
  warmUps: 1,
  targets: [
    { figure: COST, of: "gateway-uws", over: "baseline-uws", atMost: 1 },
    { figure: `${DELAY}, ms p99`, of: "gateway-uws", atMost: 2 * DIFF_INTERVAL_MS },
  ],
  async contenders({ kinds, effort }) {
    const contenders: Contender[] = [];
    let diff = "";
    // Gateways are first, because the baselines send what a gateway sent.
    for (const kind of shortList(kinds, effort)) {
      if (kind.role === "peer" && effort === "quick") continue;
      const { contender, sample } = await prepare(kind, effort, diff);
      contenders.push(contender);
      diff ||= sample;
    }
    return contenders;
  },
};

async function prepare(
  kind: ServerKind,
  effort: Effort,
  diff: string,
): Promise<{ contender: Contender; sample: string }> {
  const server = await kind.start({ DIFF_INTERVAL_MS: String(DIFF_INTERVAL_MS) });
  const room = await TypingRoom.open(kind, server.port, SUBSCRIBERS);

  const ms = kind.role === "peer" ? PEER_MS : SECONDS[effort] * 1_000;
  let sample = diff;
  if (kind.role === "gateway") {
    const texts: string[] = [];
    await room.type(EVERYBODY_TWICE_MS, (payload) => texts.push(payload.toString()));
    sample = texts.sort((a, b) => a.length - b.length)[texts.length >> 1]!;
  } else await server.prepare?.(diff);
  return {
    sample,
    contender: {
      ...labelOf(kind),
      async round() {
        const before = await server.usage();
        const receivedBefore = room.received;
        const latencies = await room.type(ms);
        const { cpuMicros } = await server.usage();
        const events = (EVENTS_PER_SECOND * ms) / 1_000;
        return {
          [COST]: (cpuMicros - before.cpuMicros) / events / SUBSCRIBERS,
          [TEXTS]: (room.received - receivedBefore) / SUBSCRIBERS / (ms / 1_000),
          ...(kind.role !== "baseline" ? latencies.figures(DELAY) : {}),
        };
      },
      async close() {
        await room.close();
        await server.stop();
      },
    },
  };
}
