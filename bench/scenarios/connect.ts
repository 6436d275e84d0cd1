import type { LightSocket } from "../load/light-socket.ts";
import { closeAll, times } from "../load/sockets.ts";
import type { Contender, Scenario } from "../measure/scenario.ts";
import { userToken } from "../servers/app.ts";
import { labelOf, type ServerKind } from "../servers/server-kind.ts";

/*
 * The question: what does it cost to come in? First the accepted socket alone, then the token and the first session:
 * it is this sum that a reconnect storm costs. The floor accepts as well, but verifies no token.
 */

const SOCKETS = 1_000;

export const connect: Scenario = {
  name: "connect",
  question: "what does it cost to come in? Accept, then verify a token and open a session",
  rounds: 7,
  warmUps: 3,
  contenders: ({ kinds, quick }) => Promise.all(kinds.map((kind) => contender(kind, quick ? 200 : SOCKETS))),
};

async function contender(kind: ServerKind, count: number): Promise<Contender> {
  const server = await kind.start();
  const tokens = await times(count, (i) => userToken(`user-${i}`));
  return {
    ...labelOf(kind),
    async round() {
      const start = await server.usage();
      const sockets: LightSocket[] = await times(count, () => kind.dialect.open(server.port));
      const accepted = await server.usage();
      await times(count, (i) => kind.dialect.enter(sockets[i]!, tokens[i]!, "conversation-1"));
      const opened = await server.usage();
      await closeAll(sockets);
      return {
        "CPU µs to accept": (accepted.cpuMicros - start.cpuMicros) / count,
        "CPU µs for token + session": (opened.cpuMicros - accepted.cpuMicros) / count,
      };
    },
    close: () => server.stop(),
  };
}
