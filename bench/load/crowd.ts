import { userToken } from "../servers/app.ts";
import type { RunningServer } from "../servers/server-kind.ts";
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

export function enterCrowd(dialect: Dialect, port: number): Promise<Crowd> {
  return enterCrowdBy(async (i) => enterNew(dialect, port, await userToken(`user-${i}`), homeOf(i)));
}

/** @param pacers How many of the last users are waited for before the next turn: one for each server that takes part. */
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
        // So that messages do not pile up and each is read by itself, as it is from sockets of real users.
        await Promise.all(members.slice(-pacers).map((member) => member.ask(LAST)));
      }
      // An answer to everybody: nothing that was sent is still on its way.
      await Promise.all(members.map((member) => member.ask(LAST)));
      return USERS * (times + 1) + pacers * times;
    },
    leave: () => closeAll(members.map(({ socket }) => socket)),
  };
}

/** Microseconds of the server's CPU for each change, when everybody makes so many. */
export async function cpuPerChange(server: RunningServer, crowd: Crowd, times: number): Promise<number> {
  const before = await server.usage();
  const changes = await crowd.change(times);
  const after = await server.usage();
  return (after.cpuMicros - before.cpuMicros) / changes;
}

/** Always answered. */
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
