import { type LightSocket, textFrame } from "../load/light-socket.ts";
import { closeAll, connectSocket, openSession, received, times } from "../load/sockets.ts";
import type { Contender, Effort, Scenario } from "../measure/scenario.ts";
import { userToken } from "../servers/app.ts";
import { floorOf, type ServerKind, ServerProcess } from "../servers/server-process.ts";

/*
 * The question: what does one change of a session cost that nobody watches? A message comes in, is checked, changes a
 * row and its indexes. The floor parses the same bytes and sets a Map: no check, no index.
 */

const SOCKETS = 1_000;
const MESSAGES_PER_SOCKET = 56;
const USERS_PER_CONVERSATION = 20;
const COST = "CPU µs per update";

export const update: Scenario = {
  name: "update",
  question: "what does a change of a session cost, with nobody watching? 1,000 sockets, a session each",
  method:
    "1,000 sockets take turns to send focus, typing and conversation changes, each in a packet of its own. The floor parses the same JSON and sets a Map: no check, no index.",
  rounds: { quick: 1, normal: 5, full: 15 },
  warmUps: 1,
  targets: [{ figure: COST, of: "gateway-uws", over: "floor-uws", atMost: 1.15 }],
  contenders: ({ kinds, effort }) => Promise.all(kinds.map((kind) => contender(kind, effort))),
};

async function contender(kind: ServerKind, effort: Effort): Promise<Contender> {
  const server = await ServerProcess.start(kind);
  const sockets = await times(SOCKETS, async (i) => connectSocket(server.port, await userToken(`user-${i}`)));
  const frames = await times(SOCKETS, async (i) => {
    const home = `conversation-${Math.floor(i / USERS_PER_CONVERSATION)}`;
    return changes(await openSession(sockets[i]!, { selectedConversationId: home }), home);
  });
  const messages = effort === "quick" ? 14 : MESSAGES_PER_SOCKET;
  return {
    name: kind,
    ...floorOf(kind),
    async round() {
      const before = await server.usage();
      for (let i = 0; i < messages; i++) await sendToAll(sockets, frames, i);
      // An answer from every socket: nothing that was sent is still on its way.
      const answers = received(sockets, SOCKETS);
      for (const [i, socket] of sockets.entries()) socket.write(frames[i]!.last);
      await answers;
      const { cpuMicros } = await server.usage();
      return { [COST]: (cpuMicros - before.cpuMicros) / (SOCKETS * (messages + 1) + messages) };
    },
    async close() {
      await closeAll(sockets);
      await server.stop();
    },
  };
}

interface Changes {
  /** Each is a real change after the one before it, the first after the last. */
  readonly cycle: readonly Buffer[];
  /** With an id, so that it is answered. */
  readonly last: Buffer;
}

function changes(sessionId: string, home: string): Changes {
  const change = (fields: object) => textFrame({ type: "update", sessionId, ...fields });
  return {
    cycle: [
      change({ hasFocus: true }),
      change({ isTyping: true }),
      change({ selectedConversationId: "conversation-elsewhere" }),
      change({ isTyping: true }),
      change({ isTyping: false }),
      change({ hasFocus: false }),
      change({ selectedConversationId: home }),
    ],
    last: textFrame({ type: "update", id: 1, sessionId, hasFocus: false }),
  };
}

/**
 * One message from every socket. The last one is answered and waited for, so that messages do not pile up and the
 * server reads each by itself, as it does from sockets of real users.
 */
async function sendToAll(
  sockets: readonly LightSocket[],
  frames: readonly Changes[],
  round: number,
): Promise<void> {
  for (const [i, socket] of sockets.entries()) {
    const { cycle } = frames[i]!;
    socket.write(cycle[round % cycle.length]!);
  }
  const last = sockets.length - 1;
  await sockets[last]!.ask(frames[last]!.last);
}
