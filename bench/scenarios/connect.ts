import type { LightSocket } from "../load/light-socket.ts";
import { closeAll, times } from "../load/sockets.ts";
import type { Contender, Scenario } from "../measure/scenario.ts";
import { userToken } from "../servers/app.ts";
import { labelOf, type ServerKind } from "../servers/server-kind.ts";

const CONVERSATION = "conversation-1";
const SOCKETS = 1_000;
const WHOLE = "CPU µs to come in";

export const connect: Scenario = {
  name: "connect",
  question: "What does connecting cost: to accept a socket, verify a token and open a session?",
  method:
    "1,000 sockets connect. Each one then authenticates with a new user's token and opens a session. " +
    "The baseline accepts them too, but verifies nothing. Six warm-up rounds come first, because V8 " +
    "compiles this code late.",
  rounds: { quick: 3, normal: 3, full: 7 },
  warmUps: 6,
  quickWarmUps: 6,
  targets: [
    { figure: WHOLE, of: "gateway-uws", over: "baseline-uws", atMost: 1.2 },
    { figure: WHOLE, of: "gateway-ws", over: "baseline-ws", atMost: 1.2 },
  ],
  contenders: ({ kinds }) => Promise.all(kinds.map(contender)),
};

async function contender(kind: ServerKind): Promise<Contender> {
  const server = await kind.start();
  let rounds = 0;
  return {
    ...labelOf(kind),
    async round() {
      rounds++;
      // New tokens in each round, because verifying a known token may cost less.
      const tokens = await times(SOCKETS, (i) => userToken(`user-${rounds}-${i}`));
      const start = await server.usage();
      const sockets: LightSocket[] = await times(SOCKETS, () => kind.dialect.open(server.port, CONVERSATION));
      const accepted = await server.usage();
      await times(SOCKETS, (i) => kind.dialect.enter(sockets[i]!, tokens[i]!, CONVERSATION));
      const opened = await server.usage();
      await closeAll(sockets);
      return {
        [WHOLE]: (opened.cpuMicros - start.cpuMicros) / SOCKETS,
        "of it to accept": (accepted.cpuMicros - start.cpuMicros) / SOCKETS,
        "of it for token and session": (opened.cpuMicros - accepted.cpuMicros) / SOCKETS,
      };
    },
    close: () => server.stop(),
  };
}
