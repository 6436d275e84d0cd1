import { type Dialect, enterNew } from "../load/dialect.ts";
import type { LightSocket } from "../load/light-socket.ts";
import { closeAll, times } from "../load/sockets.ts";
import type { Contender, Scenario } from "../measure/scenario.ts";
import { userToken } from "../servers/app.ts";
import { labelOf, type ServerKind } from "../servers/server-kind.ts";

/*
 * The question: how much memory does a socket hold that has one session and is quiet? Resident set of the process and
 * its JavaScript heap, all garbage collected, before and after; kernel buffers are not in it. Each round takes a new
 * process and begins to count with a first crowd in it, which has grown what grows once and stays.
 */

const SOCKETS = 5_000;

export const idle: Scenario = {
  name: "idle",
  question: "how much memory does a quiet socket with one session hold?",
  rounds: 3,
  warmUps: 0,
  contenders: async ({ kinds, quick }) => kinds.map((kind) => contender(kind, quick ? 1_000 : SOCKETS)),
};

function contender(kind: ServerKind, count: number): Contender {
  return {
    ...labelOf(kind),
    async round() {
      const server = await kind.start();
      try {
        const first = await openMany(kind.dialect, server.port, "first", count / 2);
        const before = await server.settledUsage();
        const second = await openMany(kind.dialect, server.port, "second", count);
        const after = await server.settledUsage();
        await closeAll([...first, ...second]);
        return {
          "RSS KB per socket": (after.rssBytes - before.rssBytes) / count / 1024,
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
