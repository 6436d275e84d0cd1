import { setMaxListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Pacer } from "../../src/cli/simulator/pacer.ts";
import { SimulatedUser } from "../../src/cli/simulator/user.ts";
import { type LightSocket, textFrame } from "../load/light-socket.ts";
import { closeAll, connectSocket, expect, openSession, quiet, times } from "../load/sockets.ts";
import type { Contender, Effort, Figures, Scenario } from "../measure/scenario.ts";
import { APP, appToken, userToken } from "../servers/app.ts";
import type { RunningServer } from "../servers/server-kind.ts";

/** Sessions of one user: a phone, a few tabs, an agent with many windows. */
const SESSIONS = [1, 3, 10] as const;
const CUSTOM = { plan: "business", page: "/help/returns", language: "en-GB", device: "laptop at the office" };
const CROWD_USERS = 200;
const CROWD_CONVERSATIONS = 20;
const CROWD_MS: Readonly<Record<Effort, number>> = { quick: 5_000, normal: 5_000, full: 30_000 };
const CROWD_PER_SECOND = 200;

const CROWD = "bytes per diff, simulated crowd";
const WHOLE = "whole values";
const PATCHES = "patches";
const KINDS = [WHOLE, PATCHES] as const;

export const patches: Scenario = {
  name: "patches",
  question: "How many bytes does a diff have, with whole values and with patches?",
  method:
    `Users of ${SESSIONS.join(", ")} sessions with four custom fields begin to type, each with one ` +
    `session. Then ${CROWD_USERS} simulated users of \`presence-gateway crowd\` read, type and come and go ` +
    `in ${CROWD_CONVERSATIONS} conversations. Two sockets watch the same views, one of them with \`patch: ` +
    "true`. The bytes are those of the texts, without frame headers.",
  rounds: { quick: 1, normal: 1, full: 1 },
  warmUps: 0,
  targets: [
    { figure: typing(3), of: PATCHES, over: WHOLE, atMost: 0.25 },
    { figure: CROWD, of: PATCHES, over: WHOLE, atMost: 0.7 },
  ],
  async contenders({ kinds, effort }) {
    const kind = kinds.find(({ role }) => role === "gateway");
    if (kind === undefined) return [];
    const server = await kind.start({ DIFF_INTERVAL_MS: "0" });
    const figures = await measure(server, CROWD_MS[effort]);
    return KINDS.map(
      (name): Contender => ({
        name,
        ...(name === PATCHES ? { baseline: WHOLE } : {}),
        round: async () => figures[name],
        close: () => server.stop(),
      }),
    );
  },
};

function typing(sessions: number): string {
  return `bytes per typing event, ${sessions} session${sessions === 1 ? "" : "s"}`;
}

async function measure(
  server: RunningServer,
  crowdMs: number,
): Promise<Record<(typeof KINDS)[number], Figures>> {
  const figures = { [WHOLE]: {} as Record<string, number>, [PATCHES]: {} as Record<string, number> };
  for (const sessions of SESSIONS) {
    const userId = `user-with-${sessions}`;
    const socket = await connectSocket(server.port, await userToken(userId));
    const ids: string[] = [];
    for (let i = 0; i < sessions; i++) {
      const fields = { selectedConversationId: `conversation-${i}`, custom: CUSTOM };
      ids.push(await openSession(socket, fields));
    }
    const watchers = await watch(server, [{ userIds: [userId] }]);
    const diffs = Promise.all(KINDS.map((name) => watchers[name].next()));
    socket.write(textFrame({ type: "update", sessionId: ids[sessions >> 1], isTyping: true }));
    const texts = await diffs;
    for (const [i, name] of KINDS.entries()) figures[name][typing(sessions)] = Buffer.byteLength(texts[i]!);
    await closeAll([socket, ...Object.values(watchers)]);
  }
  const conversations = Array.from({ length: CROWD_CONVERSATIONS }, (_, i) => `conversation-${i + 1}`);
  const watchers = await watch(
    server,
    conversations.map((selectedConversationId) => ({ selectedConversationId })),
  );
  const stop = await enter(server.port, conversations);
  // Most of the crowd is there. From now on it is what it always is.
  await sleep((2 * 1_000 * CROWD_USERS) / CROWD_PER_SECOND);
  const bytes = { [WHOLE]: 0, [PATCHES]: 0 };
  const diffs = { [WHOLE]: 0, [PATCHES]: 0 };
  for (const name of KINDS)
    watchers[name].onText = ({ length }) => {
      bytes[name] += length;
      diffs[name]++;
    };
  await sleep(crowdMs);
  for (const name of KINDS) figures[name][CROWD] = bytes[name] / diffs[name];
  stop.abort();
  await quiet(Object.values(watchers));
  await closeAll(Object.values(watchers));
  return figures;
}

/** A socket for each kind of subscriber, with the same subscriptions. */
async function watch(
  server: RunningServer,
  filters: readonly object[],
): Promise<Record<(typeof KINDS)[number], LightSocket>> {
  const sockets = await times(KINDS.length, async (i) => {
    const socket = await connectSocket(server.port, await appToken());
    const patch = KINDS[i] === PATCHES;
    for (const [id, filter] of filters.entries())
      expect(await socket.request(textFrame({ type: "subscribe", id, filter, patch })), "snapshot");
    return socket;
  });
  return { [WHOLE]: sockets[0]!, [PATCHES]: sockets[1]! };
}

/** Lets a crowd in. It leaves when the controller aborts. */
async function enter(port: number, conversations: readonly string[]): Promise<AbortController> {
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  const pacer = new Pacer(CROWD_PER_SECOND);
  const url = `ws://127.0.0.1:${port}/v1/${APP.id}/realtime`;
  for (let i = 0; i < CROWD_USERS; i++) {
    const token = await userToken(`user-${i + 1}`);
    const user = new SimulatedUser({
      url,
      token,
      pacer,
      conversations,
      signal: stop.signal,
      onRefused: () => stop.abort(),
      localAddress: undefined,
    });
    void user.live();
  }
  return stop;
}
