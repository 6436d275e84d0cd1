import { DiffClock } from "../load/diff-clock.ts";
import { type LightSocket, textFrame } from "../load/light-socket.ts";
import { pace } from "../load/pace.ts";
import { closeAll, connectSocket, expect, quiet, times } from "../load/sockets.ts";
import { Latencies } from "../measure/latencies.ts";
import type { Contender, Effort, Scenario } from "../measure/scenario.ts";
import { shortListOfGateways } from "../measure/short-list.ts";
import { appToken } from "../servers/app.ts";
import type { ServerKind } from "../servers/server-kind.ts";

interface Size {
  /** The number of sockets. They divide the conversations into whole blocks. */
  readonly sockets: number;
  readonly conversationsPerSocket: number;
  readonly transitionsPerSecond: number;
  /** An even number of seconds brings every user back to the initial state. */
  readonly seconds: number;
}

const LARGE: Size = {
  sockets: 1_000,
  conversationsPerSocket: 100,
  transitionsPerSecond: 2_000,
  seconds: 2,
};
const SIZES: Readonly<Record<Effort, Size>> = {
  quick: { sockets: 200, conversationsPerSocket: 50, transitionsPerSecond: 400, seconds: 2 },
  normal: LARGE,
  full: LARGE,
};
const WATCHERS = 25;
const USERS_PER_CONVERSATION = 2;
/** A lively conversation has this many transitions a second: its view never comes to rest. */
const LIVELY_PER_SECOND = 20;
/** Number of sockets whose diffs are parsed. Parsing all would load the machine too much. */
const READ = 20;
/** The number of subscriptions that a socket requests at once. */
const AT_ONCE = 50;

const COST = "CPU µs per diff";
const DELAY = "from event to diff";
const LIVELY = "lively conversations";
const EVEN = "all conversations alike";

export const chatList: Scenario = {
  name: "chat-list",
  question: "What does a diff cost if a socket watches a chat list of 100 conversations?",
  method:
    `${LARGE.sockets.toLocaleString("en")} sockets watch ${LARGE.conversationsPerSocket} conversations ` +
    `each, ${WATCHERS} sockets each conversation. ${LARGE.transitionsPerSecond.toLocaleString("en")} times ` +
    `a second a user gains or loses the focus: first in a few conversations with ${LIVELY_PER_SECOND} ` +
    "transitions a second each, whose views flush together, others every second; then in all conversations " +
    "in turn, whose views are quiet and flush at once. (Quick runs: a fifth of sockets and transitions.)",
  rounds: { quick: 1, normal: 2, full: 3 },
  warmUps: 1,
  targets: [
    { figure: COST, of: nameOf("gateway-uws", LIVELY), over: nameOf("gateway-uws", EVEN), atMost: 0.8 },
  ],
  async contenders({ kinds, effort }) {
    const contenders: Contender[] = [];
    for (const kind of shortListOfGateways(kinds, effort)) {
      contenders.push(...(await contendersOf(kind, SIZES[effort])));
    }
    return contenders;
  },
};

function nameOf(kind: string, load: string): string {
  return `${kind}, ${load}`;
}

/** Both use the same server and sockets. */
async function contendersOf(kind: ServerKind, size: Size): Promise<Contender[]> {
  const server = await kind.start();
  const token = await appToken();
  const conversations = (size.sockets * size.conversationsPerSocket) / WATCHERS;
  const writers = await times(conversations / AT_ONCE, () => connectSocket(server.port, token));
  /** The frames that change each user, by conversation, user and state. */
  const frames: Buffer[][][] = new Array(conversations);
  await times(writers.length, async (i) => {
    for (let c = i * AT_ONCE; c < (i + 1) * AT_ONCE; c++) frames[c] = await enter(writers[i]!, c);
  });
  const watchedBy = Array.from({ length: size.sockets }, () => [] as number[]);
  for (let c = 0; c < conversations; c++) {
    for (let k = 0; k < WATCHERS; k++) watchedBy[watcherOf(c, k, size.sockets)]!.push(c);
  }
  const sockets = await times(size.sockets, async (i) => {
    const socket = await connectSocket(server.port, token);
    for (let at = 0; at < watchedBy[i]!.length; at += AT_ONCE) {
      const some = watchedBy[i]!.slice(at, at + AT_ONCE);
      const subscribes = some.map((c) =>
        textFrame({ type: "subscribe", id: c, filter: { selectedConversationId: idOf(c) } }),
      );
      for (const text of await socket.requestAll(subscribes)) expect(text, "snapshot");
    }
    return socket;
  });

  async function run(conversationOf: (i: number) => number): Promise<Record<string, number>> {
    const latencies = new Latencies();
    const clocks = new Map(
      sockets.slice(0, READ).map((_, i) => [i, new DiffClock("hasFocus", (ms) => latencies.add(ms))]),
    );
    for (const [i, clock] of clocks) sockets[i]!.onText = (payload) => void clock.read(payload);
    /** How often each conversation has changed in this run. */
    const changes = new Uint32Array(conversations);
    const received = () => sockets.reduce((sum, socket) => sum + socket.received, 0);
    const receivedBefore = received();
    const before = await server.usage();
    await pace(size.transitionsPerSecond, size.seconds * 1_000, (i, due) => {
      const c = conversationOf(i);
      const change = changes[c]!++;
      const user = change % USERS_PER_CONVERSATION;
      const hasFocus = Math.floor(change / USERS_PER_CONVERSATION) % 2 === 0;
      for (let k = 0; k < WATCHERS; k++) {
        clocks.get(watcherOf(c, k, size.sockets))?.expect(userIdOf(c, user), hasFocus, due);
      }
      writers[Math.floor(c / AT_ONCE)]!.write(frames[c]![user]![hasFocus ? 0 : 1]!);
    });
    await quiet(sockets);
    const { cpuMicros } = await server.usage();
    // Back to the initial state, for the next run.
    for (let c = 0; c < conversations; c++) {
      for (const states of changes[c]! > 0 ? frames[c]! : [])
        writers[Math.floor(c / AT_ONCE)]!.write(states[1]!);
    }
    const diffs = received() - receivedBefore;
    await quiet(sockets);
    return {
      [COST]: (cpuMicros - before.cpuMicros) / diffs,
      "diffs per transition and watcher": diffs / (size.transitionsPerSecond * size.seconds) / WATCHERS,
      ...latencies.figures(DELAY),
    };
  }

  const lively = size.transitionsPerSecond / LIVELY_PER_SECOND;
  const livelyAt = (i: number) => {
    const second = Math.floor(i / size.transitionsPerSecond);
    return ((second * lively + (i % lively)) * STRIDE) % conversations;
  };
  return [
    {
      name: nameOf(kind.name, LIVELY),
      baseline: nameOf(kind.name, EVEN),
      round: () => run(livelyAt),
      async close() {
        await closeAll([...writers, ...sockets]);
        await server.stop();
      },
    },
    {
      name: nameOf(kind.name, EVEN),
      round: () => run((i) => (i * STRIDE) % conversations),
      close: async () => {},
    },
  ];
}

/** Prime, so that consecutive transitions are in conversations of other watchers. */
const STRIDE = 1_597;

/**
 * The socket that is watcher `k` of a conversation. Every socket watches equally many, and hardly two sockets
 * the same ones.
 */
function watcherOf(conversation: number, k: number, sockets: number): number {
  const block = Math.floor(conversation / sockets);
  return (conversation * 7 + k * (37 + 20 * block)) % sockets;
}

/** Opens the sessions of a conversation's users. Returns the frames that give them the focus and take it. */
async function enter(socket: LightSocket, conversation: number): Promise<Buffer[][]> {
  const users = Array.from({ length: USERS_PER_CONVERSATION }, (_, user) => userIdOf(conversation, user));
  const opens = users.map((userId) =>
    textFrame({ type: "open", id: 1, kind: "widget", userId, selectedConversationId: idOf(conversation) }),
  );
  const answers = await socket.requestAll(opens);
  return answers.map((text) => {
    const { sessionId } = expect(text, "opened");
    return [true, false].map((hasFocus) => textFrame({ type: "update", sessionId, hasFocus }));
  });
}

function idOf(conversation: number): string {
  return `conversation-${conversation}`;
}

function userIdOf(conversation: number, user: number): string {
  return `user-${conversation}-${user}`;
}
