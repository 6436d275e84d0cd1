import { enterNew } from "../load/dialect.ts";
import { DiffClock } from "../load/diff-clock.ts";
import { pace } from "../load/pace.ts";
import { closeAll, quiet, times } from "../load/sockets.ts";
import { Latencies } from "../measure/latencies.ts";
import type { Contender, Effort, Scenario } from "../measure/scenario.ts";
import { shortList } from "../measure/short-list.ts";
import { appToken, userToken } from "../servers/app.ts";
import { labelOf, type ServerKind } from "../servers/server-kind.ts";

const ROOM = "room-1";
const TYPISTS = 100;
const SUBSCRIBERS = 1_000;
const EVENTS_PER_SECOND = 1_000;
/** Durations after which every typist has its initial state again. */
const SECONDS: Readonly<Record<Effort, number>> = { quick: 1, normal: 1.2, full: 2 };
/**
 * Number of subscribers whose diffs are parsed, evenly spread. Parsing all would load the machine too much.
 */
const READ = 20;
const DIFF_INTERVAL_MS = 50;
/** Two turns bring every typist back to its initial state for the next round. */
const EVERYBODY_TWICE_MS = (2_000 * TYPISTS) / EVENTS_PER_SECOND;
/** Peers send each event separately, a million texts per second. Even this short time takes them seconds. */
const PEER_MS = EVERYBODY_TWICE_MS;
const LONGEST_DRAIN_MS = 60_000;

const COST = "CPU µs per event and subscriber";
const DELAY = "from event to diff";

export const burst: Scenario = {
  name: "burst",
  question: "What does a busy room cost? 1,000 events per second from 100 typists, 1,000 subscribers.",
  method:
    "Typists begin and stop typing, each ten times per second, on their own sockets. Every subscriber " +
    `receives the merged changes once per ${DIFF_INTERVAL_MS} ms (\`DIFF_INTERVAL_MS\`). The baseline ` +
    `publishes the bytes of such a diff as often. The latency is that of ${READ} of the subscribers. ` +
    "Peers send each event separately, a million texts per second, which they cannot sustain. Their " +
    `events come within ${PEER_MS} ms, so their latency shows how the queue grew.`,
  rounds: { quick: 1, normal: 3, full: 5 },
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
  const typists = await times(TYPISTS, async (i) =>
    enterNew(kind.dialect, server.port, await userToken(`typist-${i}`), ROOM),
  );
  const token = await appToken();
  const subscribers = await times(SUBSCRIBERS, () => kind.dialect.watch(server.port, token, ROOM));
  const frames = typists.map((typist) => [true, false].map((isTyping) => typist.frame({ isTyping })));
  /** Each typist changes once per turn, and back in the next turn. */
  const write = (i: number) => {
    const typist = i % TYPISTS;
    const isTyping = Math.floor(i / TYPISTS) % 2 === 0;
    typists[typist]!.socket.write(frames[typist]![isTyping ? 0 : 1]!);
    return { userId: `typist-${typist}`, isTyping };
  };
  const readers = subscribers.filter((_, i) => (i + 1) % (SUBSCRIBERS / READ) === 0);

  async function run(ms: number, onDiff: (payload: Buffer) => void = () => {}): Promise<Latencies> {
    const latencies = new Latencies();
    const clocks = readers.map(() => new DiffClock("isTyping", (ms) => latencies.add(ms), kind.dialect));
    for (const socket of subscribers) socket.onText = undefined;
    for (const [i, reader] of readers.entries()) {
      reader.onText = (payload) => {
        onDiff(payload);
        if (kind.role !== "baseline") clocks[i]!.read(payload);
      };
    }
    await pace(EVENTS_PER_SECOND, ms, (i, due) => {
      const { userId, isTyping } = write(i);
      for (const clock of clocks) clock.expect(userId, isTyping, due);
    });
    if (kind.role === "peer") await allArrived(clocks);
    await quiet(subscribers);
    return latencies;
  }

  const ms = kind.role === "peer" ? PEER_MS : SECONDS[effort] * 1_000;
  let sample = diff;
  if (kind.role === "gateway") {
    const texts: string[] = [];
    await run(EVERYBODY_TWICE_MS, (payload) => texts.push(payload.toString()));
    sample = texts.sort((a, b) => a.length - b.length)[texts.length >> 1]!;
  } else await server.prepare?.(diff);
  return {
    sample,
    contender: {
      ...labelOf(kind),
      async round() {
        const before = await server.usage();
        const latencies = await run(ms);
        const { cpuMicros } = await server.usage();
        const events = (EVENTS_PER_SECOND * ms) / 1_000;
        return {
          [COST]: (cpuMicros - before.cpuMicros) / events / SUBSCRIBERS,
          ...(kind.role !== "baseline" ? latencies.figures(DELAY) : {}),
        };
      },
      async close() {
        await closeAll([...typists.map(({ socket }) => socket), ...subscribers]);
        await server.stop();
      },
    },
  };
}

/** Resolves when no event is pending. A server that cannot send everything at once needs a long time. */
async function allArrived(clocks: readonly DiffClock[]): Promise<void> {
  const deadline = performance.now() + LONGEST_DRAIN_MS;
  while (clocks.some(({ waiting }) => waiting > 0)) {
    if (performance.now() > deadline)
      throw new Error("it lost events, or did not deliver them within a minute");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
