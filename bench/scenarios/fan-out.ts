import { type Dialect, enterNew } from "../load/dialect.ts";
import { DiffClock } from "../load/diff-clock.ts";
import type { LightSocket } from "../load/light-socket.ts";
import { closeAll, expect, quiet, received, times } from "../load/sockets.ts";
import { Latencies } from "../measure/latencies.ts";
import type { Contender, Effort, Scenario } from "../measure/scenario.ts";
import { appToken, userToken } from "../servers/app.ts";
import { labelOf, type ServerKind } from "../servers/server-kind.ts";

const SUBSCRIBERS = 1_000;
const EVENTS: Readonly<Record<Effort, number>> = { quick: 20, normal: 20, full: 20 };
const CONVERSATION = "conversation-1";
const WRITER = "writer";
const COST = "CPU µs per delivery";

export const fanOut: Scenario = {
  name: "fan-out",
  question: "What does a delivered diff cost? One event, 1,000 subscribers of one view.",
  method:
    "One event makes one diff, encoded once, for 1,000 subscribers of one view. With " +
    "`DIFF_INTERVAL_MS=0` every event pays the full cost. The baseline sends the same bytes with the " +
    "`publish` of uWebSockets.js, or with a loop of `send` over one buffer with ws. Peers must first " +
    "deliver an event to every subscriber, whole.",
  rounds: { quick: 1, normal: 4, full: 9 },
  warmUps: 2,
  targets: [{ figure: COST, of: "gateway-uws", over: "baseline-uws", atMost: 1.1 }],
  async contenders({ kinds, effort }) {
    const contenders: Contender[] = [];
    let diff = "";
    // Gateways are first, because the baselines send what a gateway sent.
    for (const kind of kinds) {
      const { contender, sample } = await prepare(kind, EVENTS[effort], diff);
      contenders.push(contender);
      diff ||= sample;
    }
    return contenders;
  },
};

async function prepare(
  kind: ServerKind,
  events: number,
  diff: string,
): Promise<{ contender: Contender; sample: string }> {
  const server = await kind.start({ DIFF_INTERVAL_MS: "0" });
  const writer = await enterNew(kind.dialect, server.port, await userToken(WRITER), CONVERSATION);
  const token = await appToken();
  const subscribers = await times(SUBSCRIBERS, () => kind.dialect.watch(server.port, token, CONVERSATION));
  // Not isTyping, because it expires while the other contenders have their turns.
  const frames = [true, false].map((hasFocus) => writer.frame({ hasFocus }));
  let sample = diff;
  if (kind.role === "gateway") sample = await firstDiff(subscribers, () => writer.socket.write(frames[0]!));
  else await server.prepare?.(diff);
  let isChecked = kind.role !== "peer";
  let count = 1;
  return {
    sample,
    contender: {
      ...labelOf(kind),
      async round() {
        if (!isChecked) {
          // What the setup still causes, such as news of who has joined, is no delivery.
          await quiet(subscribers);
          await checkDelivery(kind.dialect, subscribers, () => writer.socket.write(frames[0]!));
          isChecked = true;
        }
        const before = await server.usage();
        const latencies = new Latencies();
        const startedAt = performance.now();
        for (let event = 0; event < events; event++) {
          const sentAt = performance.now();
          const delivered = received(subscribers, SUBSCRIBERS, () =>
            latencies.add(performance.now() - sentAt),
          );
          writer.socket.write(frames[count++ % 2]!);
          await delivered;
        }
        const seconds = (performance.now() - startedAt) / 1000;
        const { cpuMicros } = await server.usage();
        const deliveries = events * SUBSCRIBERS;
        return {
          [COST]: (cpuMicros - before.cpuMicros) / deliveries,
          "deliveries a second": deliveries / seconds,
          ...latencies.figures("from event to subscriber"),
        };
      },
      async close() {
        await closeAll([writer.socket, ...subscribers]);
        await server.stop();
      },
    },
  };
}

/** Throws if not every subscriber receives the event: the writer has the focus. */
async function checkDelivery(
  dialect: Dialect,
  subscribers: readonly LightSocket[],
  cause: () => void,
): Promise<void> {
  const clocks = subscribers.map((socket) => {
    const clock = new DiffClock("hasFocus", () => {}, dialect);
    clock.expect(WRITER, true, performance.now());
    socket.onText = (payload) => clock.read(payload);
    return clock;
  });
  cause();
  await quiet(subscribers);
  const missing = clocks.filter(({ waiting }) => waiting > 0).length;
  if (missing > 0) throw new Error(`an event did not reach ${missing} of ${clocks.length} subscribers`);
}

async function firstDiff(subscribers: readonly LightSocket[], cause: () => void): Promise<string> {
  const delivered = received(subscribers.slice(1), SUBSCRIBERS - 1);
  const first = new Promise<string>((resolve) => {
    subscribers[0]!.onText = (payload) => resolve(payload.toString());
  });
  cause();
  await delivered;
  const text = await first;
  expect(text, "diff");
  return text;
}
