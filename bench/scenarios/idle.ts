import type { LightSocket } from "../load/light-socket.ts";
import { closeAll, connectSocket, openSession, times } from "../load/sockets.ts";
import type { Contender, Scenario } from "../measure/scenario.ts";
import { userToken } from "../servers/app.ts";
import { floorOf, type ServerKind, ServerProcess } from "../servers/server-process.ts";

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
    name: kind,
    ...floorOf(kind),
    async round() {
      const server = await ServerProcess.start(kind);
      try {
        const first = await openMany(server.port, "first", count / 2);
        const before = await server.settledUsage();
        const second = await openMany(server.port, "second", count);
        const after = await server.settledUsage();
        await closeAll([...first, ...second]);
        return {
          "RSS KB per socket": (after.rssBytes - before.rssBytes) / count / 1024,
          "of it heap KB": (after.heapBytes - before.heapBytes) / count / 1024,
        };
      } finally {
        await server.stop();
      }
    },
    close: async () => {},
  };
}

function openMany(port: number, crowd: string, count: number): Promise<LightSocket[]> {
  return times(count, async (i) => {
    const socket = await connectSocket(port, await userToken(`${crowd}-user-${i}`));
    await openSession(socket, { selectedConversationId: `${crowd}-conversation-${Math.floor(i / 20)}` });
    return socket;
  });
}
