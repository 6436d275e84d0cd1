import { enterNew } from "../load/dialect.ts";
import { DiffClock } from "../load/diff-clock.ts";
import { textFrame } from "../load/light-socket.ts";
import { pace } from "../load/pace.ts";
import { closeAll, connectSocket } from "../load/sockets.ts";
import type { Contender, Effort, Scenario } from "../measure/scenario.ts";
import { shortList } from "../measure/short-list.ts";
import { appToken, userToken } from "../servers/app.ts";
import type { Population } from "../servers/gateway.ts";
import type { ServerKind } from "../servers/server-kind.ts";

const USERS: Readonly<Record<Effort, number>> = { quick: 20_000, normal: 100_000, full: 100_000 };
const EVENTS_PER_SECOND = 500;
/** Duration of the events without a snapshot, and again with one. */
const WINDOW_MS = 1_000;
const ROOM = "a quiet room";

const FIRST = "until the first page, ms";
const OTHERS = "longest delay of another's event, ms";

export const snapshot: Scenario = {
  name: "snapshot",
  question: "How soon does a snapshot of 100,000 users begin, and does it delay other users?",
  method:
    "A socket subscribes to a filter that matches all 100,000 users (20,000 in quick runs) and has no " +
    `view yet. Meanwhile a user of a quiet room begins and stops typing ${EVENTS_PER_SECOND} times per ` +
    "second, watched by another. With `DIFF_INTERVAL_MS=0`, each delay comes from the server or the " +
    "load. The users are created inside the process.",
  rounds: { quick: 1, normal: 3, full: 7 },
  warmUps: 1,
  targets: [
    { figure: FIRST, of: "gateway-uws", atMost: 50 },
    { figure: OTHERS, of: "gateway-uws", atMost: 20 },
  ],
  async contenders({ kinds, effort }) {
    const gateways = shortList(kinds, effort).filter(({ role }) => role === "gateway");
    return Promise.all(gateways.map((kind) => contender(kind, USERS[effort])));
  },
};

async function contender(kind: ServerKind, users: number): Promise<Contender> {
  const server = await kind.start({ DIFF_INTERVAL_MS: "0" });
  await server.prepare!(JSON.stringify({ users, usersPerConversation: 20 } satisfies Population));
  const token = await appToken();
  const typist = await enterNew(kind.dialect, server.port, await userToken("typist"), ROOM);
  const frames = [true, false].map((isTyping) => typist.frame({ isTyping }));
  const watcher = await kind.dialect.watch(server.port, token, ROOM);
  let rounds = 0;

  /** Types for a while. Resolves with the due time and the latency of each event. */
  async function type(): Promise<{ due: number; tookMs: number }[]> {
    const arrived: { due: number; tookMs: number }[] = [];
    const clock = new DiffClock("isTyping", (tookMs, due) => arrived.push({ due, tookMs }));
    watcher.onText = (payload) => clock.read(payload);
    await pace(EVENTS_PER_SECOND, WINDOW_MS, (i, due) => {
      clock.expect("typist", i % 2 === 0, due);
      typist.socket.write(frames[i % 2]!);
    });
    return arrived;
  }

  /**
   * Requests a snapshot of all users. Resolves with the times of the request, the first page and the last
   * page.
   */
  async function take(): Promise<{ from: number; first: number; last: number }> {
    const socket = await connectSocket(server.port, token);
    const from = performance.now();
    let first: number | undefined;
    const last = await new Promise<number>((resolve) => {
      socket.onText = (payload) => {
        first ??= performance.now();
        if (!isMore(payload)) resolve(performance.now());
      };
      socket.write(textFrame({ type: "subscribe", id: 1, filter: filterOf(rounds) }));
    });
    socket.onText = undefined;
    await socket.close();
    return { from, first: first!, last };
  }

  return {
    name: kind.name,
    async round() {
      rounds++;
      const alone = await type();
      const [beside, { from, first, last }] = await Promise.all([type(), take()]);
      const during = beside.filter(({ due, tookMs }) => due + tookMs >= from && due <= last);
      return {
        [FIRST]: first - from,
        "until the last page, ms": last - from,
        [OTHERS]: longest(during),
        "without a snapshot, ms": longest(alone),
      };
    },
    async close() {
      await closeAll([typist.socket, watcher]);
      await server.stop();
    },
  };
}

/**
 * One of several filters that match all users. A filter that still has a view from a previous round is not
 * reused.
 */
function filterOf(round: number): object {
  const bit = (i: number) => ((round >> i) & 1) === 1;
  return {
    ...(bit(0) ? { hasFocus: false } : {}),
    ...(bit(1) ? { isTyping: false } : {}),
    ...(bit(2) ? { includeBackgroundSessions: true } : {}),
  };
}

const MORE = Buffer.from('"more":true}');

function isMore(payload: Buffer): boolean {
  return payload.subarray(-MORE.length).equals(MORE);
}

function longest(events: readonly { readonly tookMs: number }[]): number {
  return Math.max(0, ...events.map(({ tookMs }) => tookMs));
}
