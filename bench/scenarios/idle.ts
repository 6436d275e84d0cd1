import { type Dialect, enterNew } from "../load/dialect.ts";
import type { LightSocket } from "../load/light-socket.ts";
import { closeAll, times } from "../load/sockets.ts";
import type { Contender, Effort, Scenario } from "../measure/scenario.ts";
import { userToken } from "../servers/app.ts";
import { labelOf, type ServerKind } from "../servers/server-kind.ts";

const SOCKETS: Readonly<Record<Effort, number>> = { quick: 1_000, normal: 1_000, full: 1_500 };
const RESIDENT = "RSS KB per socket";

export const idle: Scenario = {
  name: "idle",
  question: "How much memory does a quiet socket with one session hold?",
  method:
    "Growth of a process that already has users, after 1,000 more sockets with a session each (1,500 in " +
    "full runs), after garbage collection. Each round starts a new process. Kernel buffers are not " +
    "included. The resident set of ws is mostly heap that was reserved before, so use its heap figure " +
    "instead. The baseline holds a socket and a Map entry. Peers take part in full " +
    "runs.",
  rounds: { quick: 1, normal: 2, full: 2 },
  warmUps: 0,
  targets: [
    { figure: RESIDENT, of: "gateway-uws", atMost: 3 },
    { figure: RESIDENT, of: "gateway-ws", atMost: 9 },
  ],
  contenders: async ({ kinds, effort }) =>
    kinds
      .filter(({ role }) => effort === "full" || role !== "peer")
      .map((kind) => contender(kind, SOCKETS[effort])),
};

function contender(kind: ServerKind, count: number): Contender {
  return {
    ...labelOf(kind),
    async round() {
      const server = await kind.start();
      try {
        const first = await openMany(kind.dialect, server.port, "first", count / 2);
        const before = await server.usageAfterGc();
        const second = await openMany(kind.dialect, server.port, "second", count);
        const after = await server.usageAfterGc();
        await closeAll([...first, ...second]);
        return {
          [RESIDENT]: (after.rssBytes - before.rssBytes) / count / 1024,
          ...(after.heapBytes === undefined || before.heapBytes === undefined
            ? {}
            : { "of it heap KB": (after.heapBytes - before.heapBytes) / count / 1024 }),
        };
      } finally {
        await server.stop();
      }
    },
    close: async () => {},
  };
}

function openMany(dialect: Dialect, port: number, crowd: string, count: number): Promise<LightSocket[]> {
  return times(count, async (i) => {
    const token = await userToken(`${crowd}-user-${i}`);
    const member = await enterNew(dialect, port, token, `${crowd}-conversation-${Math.floor(i / 20)}`);
    return member.socket;
  });
}
