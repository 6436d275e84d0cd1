import { userToken } from "../servers/app.ts";
import { type Change, type Dialect, enterNew, type Member } from "./dialect.ts";
import { closeAll, times } from "./sockets.ts";

const USERS = 1_000;
export const USERS_PER_CONVERSATION = 20;

/** Users on sockets of their own, twenty in a conversation. */
export interface Crowd {
  /** Everybody makes so many changes, and all of them are done; returns how many there were. */
  change(times: number): Promise<number>;
  leave(): Promise<void>;
}

export async function enterCrowd(dialect: Dialect, port: number): Promise<Crowd> {
  const members = await times(USERS, async (i) =>
    enterNew(dialect, port, await userToken(`user-${i}`), homeOf(i)),
  );
  const cycles = members.map((member, i) => cycleOf(homeOf(i)).map((change) => member.frame(change)));
  return {
    async change(times) {
      for (let i = 0; i < times; i++) await changeAll(members, cycles, i);
      // An answer to everybody: nothing that was sent is still on its way.
      await Promise.all(members.map((member) => member.ask(LAST)));
      return USERS * (times + 1) + times;
    },
    leave: () => closeAll(members.map(({ socket }) => socket)),
  };
}

/** Answered, so that nothing that was sent before is still on its way. */
const LAST: Change = { hasFocus: false };

export function homeOf(user: number): string {
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
async function changeAll(
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
