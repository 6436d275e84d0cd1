import { userToken } from "../servers/app.ts";
import type { RunningServer } from "../servers/server-kind.ts";
import { type Change, type Dialect, enterNew, type Member } from "./dialect.ts";
import { closeAll, times } from "./sockets.ts";

const USERS = 1_000;
export const USERS_PER_CONVERSATION = 20;

/** Users on a socket each, twenty per conversation. */
export interface Crowd {
  /**
   * Every user makes `times` changes. Resolves with the number of changes when the server has processed all.
   */
  change(times: number): Promise<number>;
  leave(): Promise<void>;
}

export function enterCrowd(dialect: Dialect, port: number): Promise<Crowd> {
  return enterCrowdBy(async (i) => enterNew(dialect, port, await userToken(`user-${i}`), homeOf(i)));
}

/** @param pacers How many users, from the end, must get a reply before the next turn: one per server. */
export async function enterCrowdBy(enter: (user: number) => Promise<Member>, pacers = 1): Promise<Crowd> {
  const members = await times(USERS, enter);
  const cycles = members.map((member, i) => cycleOf(homeOf(i)).map((change) => member.frame(change)));
  return {
    async change(times) {
      for (let i = 0; i < times; i++) {
        for (const [user, { socket }] of members.entries()) {
          const cycle = cycles[user]!;
          socket.write(cycle[i % cycle.length]!);
        }
        // Without waiting, the server would read several messages of a socket at once. Real users are slower.
        await Promise.all(members.slice(-pacers).map((member) => member.request(LAST)));
      }
      // A reply to every user shows that no message is still in transit.
      await Promise.all(members.map((member) => member.request(LAST)));
      return USERS * (times + 1) + pacers * times;
    },
    leave: () => closeAll(members.map(({ socket }) => socket)),
  };
}

/** Microseconds of the server's CPU per change, when every user makes `times` changes. */
export async function cpuPerChange(server: RunningServer, crowd: Crowd, times: number): Promise<number> {
  const before = await server.usage();
  const changes = await crowd.change(times);
  const after = await server.usage();
  return (after.cpuMicros - before.cpuMicros) / changes;
}

/** A change that always gets a reply. */
const LAST: Change = { hasFocus: false };

export function homeOf(user: number): string {
  return `conversation-${Math.floor(user / USERS_PER_CONVERSATION)}`;
}

/** Changes in a cycle. Each one differs from the state before it, so the server cannot skip it. */
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
