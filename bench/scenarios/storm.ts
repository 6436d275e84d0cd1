import { readSettings } from "../../src/server/settings/settings.ts";
import { textFrame } from "../load/light-socket.ts";
import { pace } from "../load/pace.ts";
import { ReturningUser } from "../load/returning-user.ts";
import { closeAll, connectSocket, quiet, times } from "../load/sockets.ts";
import type { Contender, Effort, Figures, Scenario } from "../measure/scenario.ts";
import { shortList } from "../measure/short-list.ts";
import { spreadOf } from "../measure/statistics.ts";
import { appToken, userToken } from "../servers/app.ts";
import { DEFAULT_LIMITS } from "../servers/raised-limits.ts";
import type { RunningServer, ServerKind } from "../servers/server-kind.ts";

const SOCKETS: Readonly<Record<Effort, number>> = { quick: 3_000, normal: 4_000, full: 15_000 };
const ENTERING_PER_SECOND = 950;
/** Several addresses, because an address may have at most a thousand connections. */
const ADDRESSES = Array.from({ length: 20 }, (_, i) => `127.0.1.${i + 1}`);

const BACK = "until all are back, s";
const NEW = "sessions not resumed";
const SEEN = "diffs seen by a subscriber";
const LOOP = "event-loop delay, ms p99";

export const storm: Scenario = {
  name: "storm",
  question: "Thousands of sockets are lost at once. When are they back, and do subscribers notice?",
  method:
    "Each socket has a user, a session and a subscription to its conversation. All connections are " +
    "reset at once. The clients reconnect with the SDK's delays, resume their session, and resume their " +
    "subscription. Default settings: 1,000 connections per second after a burst of 2,000. One more " +
    "subscriber watches all users. 4,000 sockets; 15,000 in full runs, 3,000 in quick ones.",
  rounds: { quick: 1, normal: 1, full: 1 },
  warmUps: 0,
  targets: [
    { figure: BACK, of: "gateway-uws", atMost: 15 },
    { figure: NEW, of: "gateway-uws", atMost: 0 },
    { figure: SEEN, of: "gateway-uws", atMost: 0 },
    { figure: LOOP, of: "gateway-uws", atMost: 100 },
  ],
  async contenders({ kinds, effort, addNote }) {
    const count = SOCKETS[effort];
    if (process.platform !== "linux" || readSettings({}).limits.maxConnections < count + 100) {
      addNote(
        "not run here: it needs the loopback addresses of Linux " +
          `and an open-file limit (ulimit -n) of ${count + 1_000}`,
      );
      return [];
    }
    const gateways = shortList(kinds, effort).filter(({ role }) => role === "gateway");
    return gateways.map((kind) => contender(kind, count));
  },
};

/** Each round opens and closes its sockets, because one process cannot open enough files for two servers. */
function contender(kind: ServerKind, count: number): Contender {
  return {
    name: kind.name,
    async round() {
      const server = await kind.start(DEFAULT_LIMITS);
      try {
        return await loseAll(server, count);
      } finally {
        await server.stop();
      }
    },
    async close() {},
  };
}

async function loseAll(server: RunningServer, count: number): Promise<Figures> {
  const users = await times(count, async (i) => {
    const conversation = `conversation-${Math.floor(i / 20)}`;
    return new ReturningUser(
      server.port,
      await userToken(`user-${i}`),
      conversation,
      ADDRESSES[i % ADDRESSES.length]!,
    );
  });
  const entering: Promise<boolean>[] = [];
  await pace(ENTERING_PER_SECOND, (1_000 * count) / ENTERING_PER_SECOND, (i) =>
    entering.push(users[i]!.enter()),
  );
  await Promise.all(entering);
  const subscriber = await connectSocket(server.port, await appToken());
  subscriber.write(textFrame({ type: "subscribe", id: 1, filter: {} }));
  await quiet([subscriber]);
  const seen = subscriber.received;
  await server.loopDelay!();
  const before = await server.usage();
  const cutAt = performance.now();
  const returns = await Promise.all(
    users.map(async (user) => ({
      resumed: await user.loseAndReturn(),
      seconds: (performance.now() - cutAt) / 1_000,
    })),
  );
  const { p99Ms } = await server.loopDelay!();
  const { cpuMicros } = await server.usage();
  await quiet([subscriber]);
  const diffs = subscriber.received - seen;
  await times(users.length, (i) => users[i]!.close());
  await closeAll([subscriber]);
  const { median, max } = spreadOf(returns.map(({ seconds }) => seconds));
  return {
    [BACK]: max,
    "until half are back, s": median,
    [NEW]: returns.filter(({ resumed }) => !resumed).length,
    [SEEN]: diffs,
    [LOOP]: p99Ms,
    "attempts for each": users.reduce((sum, { attempts }) => sum + attempts, 0) / count,
    "CPU s of the server": (cpuMicros - before.cpuMicros) / 1e6,
  };
}
