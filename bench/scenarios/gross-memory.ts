import { setTimeout as delay } from "node:timers/promises";
import { enterNew } from "../load/dialect.ts";
import type { LightSocket } from "../load/light-socket.ts";
import { closeAll, times } from "../load/sockets.ts";
import type { Contender, Effort, Figures, Scenario } from "../measure/scenario.ts";
import { shortList } from "../measure/short-list.ts";
import { slopeOf } from "../measure/statistics.ts";
import { procMissing } from "../peers/proc.ts";
import { userToken } from "../servers/app.ts";
import { labelOf, type ServerKind } from "../servers/server-kind.ts";

const SOCKETS: Readonly<Record<Effort, number>> = { quick: 1_000, normal: 8_000, full: 8_000 };
const STEPS = 8;
const USERS_PER_CONVERSATION = 20;
/** Until a server that just started has nothing left to do. */
const SETTLE_MS = 1_000;

const GROSS = "gross RSS KB per socket";
const SLOPE = "slope, RSS KB per further socket";

export const grossMemory: Scenario = {
  name: "gross-memory",
  question: "How much memory does an operator see, from a server without clients to 8,000 sockets?",
  method:
    "Each server starts as an operator starts it: nothing forces a garbage collection, and V8 is not told " +
    "how large its heap may be. 8,000 sockets (1,000 in quick runs) connect, each with a token and a " +
    "session. The gross figure is the growth of the resident set since before the first socket, divided " +
    "by all sockets. It includes what grows once, such as V8's young generation and compiled code. The " +
    "slope is that of a line through the resident sets after each eighth of the sockets. Peers take part " +
    "in full runs.",
  rounds: { quick: 1, normal: 1, full: 1 },
  warmUps: 0,
  targets: [{ figure: GROSS, of: "gateway-uws", atMost: 3 }],
  async contenders({ kinds, effort, addNote }) {
    const missing = procMissing();
    if (missing !== undefined) {
      addNote(`left out: ${missing}`);
      return [];
    }
    return shortList(kinds, effort)
      .filter(({ role }) => effort === "full" || role !== "peer")
      .map((kind) => contender(kind, SOCKETS[effort]));
  },
};

function contender(kind: ServerKind, count: number): Contender {
  return {
    ...labelOf(kind),
    async round() {
      const server = await (kind.startAsInstalled?.() ?? kind.start());
      try {
        await delay(SETTLE_MS);
        const { rssBytes } = await server.usage();
        const sockets: LightSocket[] = [];
        const points: [sockets: number, kilobytes: number][] = [];
        for (let step = 1; step <= STEPS; step++) {
          sockets.push(...(await openMany(kind, server.port, sockets.length, count / STEPS)));
          points.push([sockets.length, (await server.usage()).rssBytes / 1024]);
        }
        await closeAll(sockets);
        return figuresOf(rssBytes / 1024, points);
      } finally {
        await server.stop();
      }
    },
    close: async () => {},
  };
}

function figuresOf(before: number, points: readonly [sockets: number, kilobytes: number][]): Figures {
  const [sockets, kilobytes] = points.at(-1)!;
  return {
    [GROSS]: (kilobytes - before) / sockets,
    [SLOPE]: slopeOf(points),
    "RSS MB without sockets": before / 1024,
    "RSS MB with all sockets": kilobytes / 1024,
  };
}

function openMany(kind: ServerKind, port: number, first: number, count: number): Promise<LightSocket[]> {
  return times(count, async (i) => {
    const user = first + i;
    const conversation = `conversation-${Math.floor(user / USERS_PER_CONVERSATION)}`;
    return (await enterNew(kind.dialect, port, await userToken(`user-${user}`), conversation)).socket;
  });
}
