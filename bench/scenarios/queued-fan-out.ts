import { enterNew } from "../load/dialect.ts";
import { pace } from "../load/pace.ts";
import { closeAll, expect, quiet, times } from "../load/sockets.ts";
import type { Contender, Effort, Scenario } from "../measure/scenario.ts";
import { shortList } from "../measure/short-list.ts";
import { appToken, userToken } from "../servers/app.ts";
import { labelOf, type ServerKind } from "../servers/server-kind.ts";

const SUBSCRIBERS = 1_000;
const WRITERS = 20;
const CONVERSATION = "conversation-1";
const EVENT_EVERY_MS = 3;
/** Every writer changes, and changes back. */
const ROUND_MS = 2 * WRITERS * EVENT_EVERY_MS;
const ROUND_TRIPS: Readonly<Record<Effort, number>> = { quick: 4, normal: 8, full: 8 };

const COST = "CPU µs per event and subscriber";

export const queuedFanOut: Scenario = {
  name: "queued-fan-out",
  question: "And what does it cost if events do not wait until the one before is delivered?",
  method:
    `As fan-out, but ${WRITERS} writers make an event every ${EVENT_EVERY_MS} ms, as a busy server sees ` +
    "them. Deliveries that have piled up can leave in one write. A gateway that falls behind also merges " +
    "events, so fewer and longer diffs arrive. The baseline, too, writes at once what was published in one " +
    "turn of the event loop.",
  rounds: { quick: 1, normal: 3, full: 6 },
  warmUps: 2,
  targets: [{ figure: COST, of: "gateway-uws", over: "baseline-uws", atMost: 1 }],
  async contenders({ kinds, effort }) {
    const contenders: Contender[] = [];
    let diff = "";
    // Gateways are first, because the baselines send what a gateway sent.
    for (const kind of shortList(kinds, effort)) {
      const { contender, sample } = await prepare(kind, ROUND_MS * ROUND_TRIPS[effort], diff);
      contenders.push(contender);
      diff ||= sample;
    }
    return contenders;
  },
};

async function prepare(
  kind: ServerKind,
  ms: number,
  diff: string,
): Promise<{ contender: Contender; sample: string }> {
  const server = await kind.start({ DIFF_INTERVAL_MS: "0" });
  const writers = await times(WRITERS, async (i) =>
    enterNew(kind.dialect, server.port, await userToken(`writer-${i}`), CONVERSATION),
  );
  const token = await appToken();
  const subscribers = await times(SUBSCRIBERS, () => kind.dialect.watch(server.port, token, CONVERSATION));
  // Not isTyping, because it expires while the other contenders have their turns.
  const frames = writers.map((writer) => [true, false].map((hasFocus) => writer.frame({ hasFocus })));
  const write = (i: number) =>
    writers[i % WRITERS]!.socket.write(frames[i % WRITERS]![Math.floor(i / WRITERS) % 2]!);
  let sample = diff;
  if (kind.role === "gateway") {
    const first = subscribers[0]!.next();
    write(0);
    sample = await first;
    expect(sample, "diff");
  } else await server.prepare?.(diff);
  await quiet(subscribers);
  const received = () => subscribers.reduce((sum, socket) => sum + socket.received, 0);
  return {
    sample,
    contender: {
      ...labelOf(kind),
      async round() {
        const receivedBefore = received();
        const before = await server.usage();
        await pace(1_000 / EVENT_EVERY_MS, ms, write);
        await quiet(subscribers);
        const { cpuMicros } = await server.usage();
        const deliveries = received() - receivedBefore;
        const events = ms / EVENT_EVERY_MS;
        return {
          [COST]: (cpuMicros - before.cpuMicros) / events / SUBSCRIBERS,
          "CPU µs per delivery": (cpuMicros - before.cpuMicros) / deliveries,
          "deliveries per event and subscriber": deliveries / events / SUBSCRIBERS,
        };
      },
      async close() {
        await closeAll([...writers.map(({ socket }) => socket), ...subscribers]);
        await server.stop();
      },
    },
  };
}
