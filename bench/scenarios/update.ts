import { type Change, enterNew, type Member } from "../load/dialect.ts";
import { closeAll, times } from "../load/sockets.ts";
import type { Contender, Scenario } from "../measure/scenario.ts";
import { userToken } from "../servers/app.ts";
import { labelOf, type ServerKind } from "../servers/server-kind.ts";

/*
 * The question: what does one change of a session cost that nobody watches? A message comes in, is checked, changes a
 * row and its indexes. The floor parses the same bytes and sets a Map: no check, no index.
 */

const SOCKETS = 1_000;
const MESSAGES_PER_SOCKET = 56;
const USERS_PER_CONVERSATION = 20;

export const update: Scenario = {
  name: "update",
  question: "what does a change of a session cost, with nobody watching? 1,000 sockets, a session each",
  rounds: 5,
  warmUps: 1,
  contenders: ({ kinds, quick }) => Promise.all(kinds.map((kind) => contender(kind, quick))),
};

async function contender(kind: ServerKind, quick: boolean): Promise<Contender> {
  const server = await kind.start();
  const members = await times(SOCKETS, async (i) =>
    enterNew(kind.dialect, server.port, await userToken(`user-${i}`), homeOf(i)),
  );
  const cycles = members.map((member, i) => cycleOf(homeOf(i)).map((change) => member.frame(change)));
  const messages = quick ? 14 : MESSAGES_PER_SOCKET;
  return {
    ...labelOf(kind),
    async round() {
      const before = await server.usage();
      for (let i = 0; i < messages; i++) await sendToAll(members, cycles, i);
      // An answer from every socket: nothing that was sent is still on its way.
      await Promise.all(members.map((member) => member.ask(LAST)));
      const { cpuMicros } = await server.usage();
      return { "CPU µs per update": (cpuMicros - before.cpuMicros) / (SOCKETS * (messages + 1) + messages) };
    },
    async close() {
      await closeAll(members.map(({ socket }) => socket));
      await server.stop();
    },
  };
}

/** Answered, so that nothing that was sent before is still on its way. */
const LAST: Change = { hasFocus: false };

function homeOf(user: number): string {
  return `conversation-${Math.floor(user / USERS_PER_CONVERSATION)}`;
}

/** Each is a real change after the one before it, the first after the last. */
function cycleOf(home: string): readonly Change[] {
  return [
    { hasFocus: true },
    { isTyping: true },
    { selectedConversationId: "conversation-elsewhere" },
    { isTyping: true },
    { isTyping: false },
    { hasFocus: false },
    { selectedConversationId: home },
  ];
}

/**
 * One message from every socket. The last one is answered and waited for, so that messages do not pile up and the
 * server reads each by itself, as it does from sockets of real users.
 */
async function sendToAll(
  members: readonly Member[],
  cycles: readonly (readonly Buffer[])[],
  round: number,
): Promise<void> {
  for (const [i, { socket }] of members.entries()) {
    const cycle = cycles[i]!;
    socket.write(cycle[round % cycle.length]!);
  }
  await members.at(-1)!.ask(LAST);
}
