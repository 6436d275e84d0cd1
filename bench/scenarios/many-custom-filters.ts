import { type Crowd, cpuPerChange, enterCrowdBy, homeOf } from "../load/crowd.ts";
import { enterNew } from "../load/dialect.ts";
import { textFrame } from "../load/light-socket.ts";
import { closeAll, connectSocket, expect, times } from "../load/sockets.ts";
import type { Contender, Effort, Scenario } from "../measure/scenario.ts";
import { shortListOfGateways } from "../measure/short-list.ts";
import { appToken, userToken } from "../servers/app.ts";
import type { ServerKind } from "../servers/server-kind.ts";

const MESSAGES = 14;
const OTHERS: Readonly<Record<Effort, number>> = { quick: 10_000, normal: 50_000, full: 50_000 };
/** The gateway's default limit. */
const FILTERS_PER_SOCKET = 100;

const COST = "CPU µs per update";
const nameOf = (kind: string, others: number) => `${kind}, ${others === 0 ? "1 filter" : "50,001 filters"}`;

export const manyCustomFilters: Scenario = {
  name: "many-custom-filters",
  question: "Does an update cost more with 50,000 filters on other values of `custom`?",
  method:
    "The updates of `update`, by users who have a team in `custom`, with one of the teams watched. Then " +
    "with 50,000 filters on other teams as well (10,000 in quick runs). A third is over all conversations, " +
    "by an indexed key. Two thirds are in the conversation that the users enter and leave, by keys with an " +
    "index and without.",
  rounds: { quick: 1, normal: 5, full: 7 },
  warmUps: 4,
  onlyInFullRuns: true,
  targets: [{ figure: COST, of: nameOf("gateway-uws", 1), over: nameOf("gateway-uws", 0), atMost: 1.1 }],
  async contenders({ kinds, effort }) {
    const contenders: Contender[] = [];
    for (const kind of shortListOfGateways(kinds, effort)) {
      for (const others of [0, OTHERS[effort]]) contenders.push(await contender(kind, others));
    }
    return contenders;
  },
};

async function contender(kind: ServerKind, others: number): Promise<Contender> {
  const server = await kind.start({ BENCH_INDEXED_CUSTOM: "team" });
  const crowd = await enterTeams(kind, server.port);
  const token = await appToken();
  const watcher = await watch(server.port, token, [{ custom: { team: teamOf(0) } }]);
  const watchers = await times(others / FILTERS_PER_SOCKET, (i) =>
    watch(server.port, token, otherFilters(i * FILTERS_PER_SOCKET)),
  );
  return {
    name: nameOf(kind.name, others),
    ...(others === 0 ? {} : { baseline: nameOf(kind.name, 0) }),
    round: async () => ({ [COST]: await cpuPerChange(server, crowd, MESSAGES) }),
    async close() {
      await crowd.leave();
      await closeAll([watcher, ...watchers]);
      await server.stop();
    },
  };
}

const teamOf = (user: number) => `team-${Math.floor(user / 20)}`;

function enterTeams({ dialect }: ServerKind, port: number): Promise<Crowd> {
  return enterCrowdBy(async (i) => {
    const member = await enterNew(dialect, port, await userToken(`user-${i}`), homeOf(i));
    await member.request({ custom: { team: teamOf(i), floor: "1" } });
    return member;
  });
}

/** Filters that never match a user of the crowd. */
function otherFilters(first: number): object[] {
  return Array.from({ length: FILTERS_PER_SOCKET }, (_, i) => {
    const value = `other-${first + i}`;
    if (i % 3 === 0) return { custom: { team: value } };
    const custom = i % 3 === 1 ? { team: value } : { floor: value };
    return { selectedConversationId: "conversation-elsewhere", custom };
  });
}

/** Opens a socket that subscribes to all filters. Resolves after all snapshots. */
async function watch(port: number, token: string, filters: readonly object[]) {
  const socket = await connectSocket(port, token);
  const frames = filters.map((filter, id) => textFrame({ type: "subscribe", id, filter }));
  for (const answer of await socket.requestAll(frames)) expect(answer, "snapshot");
  return socket;
}
