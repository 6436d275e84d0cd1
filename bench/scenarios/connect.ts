import { type LightSocket, textFrame } from "../load/light-socket.ts";
import { closeAll, expect, openSession, openSocket, times } from "../load/sockets.ts";
import type { Contender, Scenario } from "../measure/scenario.ts";
import { userToken } from "../servers/app.ts";
import { floorOf, type ServerKind, ServerProcess } from "../servers/server-process.ts";

/*
 * The question: what does it cost to come in? First the accepted socket alone, then the token and the first session:
 * it is this sum that a reconnect storm costs. The floor accepts as well, but verifies no token.
 */

const SOCKETS = 1_000;
const WHOLE = "CPU µs to come in";

export const connect: Scenario = {
  name: "connect",
  question: "what does it cost to come in? Accept, then verify a token and open a session",
  method:
    "1,000 sockets come in; then each verifies the token of a user of its own, never seen before, and opens a session. The floor accepts as well, but verifies nothing.",
  rounds: { quick: 1, normal: 5, full: 15 },
  warmUps: 3,
  targets: [
    { figure: WHOLE, of: "gateway-uws", atMost: 90 },
    { figure: WHOLE, of: "gateway-ws", atMost: 250 },
  ],
  contenders: ({ kinds, effort }) =>
    Promise.all(kinds.map((kind) => contender(kind, effort === "quick" ? 200 : SOCKETS))),
};

async function contender(kind: ServerKind, count: number): Promise<Contender> {
  const server = await ServerProcess.start(kind);
  const frames = await times(count, async (i) =>
    textFrame({ type: "connect", token: await userToken(`user-${i}`) }),
  );
  return {
    name: kind,
    ...floorOf(kind),
    async round() {
      const start = await server.usage();
      const sockets: LightSocket[] = await times(count, () => openSocket(server.port));
      const accepted = await server.usage();
      await times(count, async (i) => {
        expect(await sockets[i]!.ask(frames[i]!), "connected");
        await openSession(sockets[i]!, { selectedConversationId: "conversation-1" });
      });
      const opened = await server.usage();
      await closeAll(sockets);
      return {
        [WHOLE]: (opened.cpuMicros - start.cpuMicros) / count,
        "of it to accept": (accepted.cpuMicros - start.cpuMicros) / count,
        "of it for token and session": (opened.cpuMicros - accepted.cpuMicros) / count,
      };
    },
    close: () => server.stop(),
  };
}
