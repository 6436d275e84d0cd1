import { cpuPerChange, enterCrowd, homeOf } from "../load/crowd.ts";
import { textFrame } from "../load/light-socket.ts";
import { closeAll, connectSocket, times } from "../load/sockets.ts";
import type { Contender, Effort, Scenario } from "../measure/scenario.ts";
import { shortListOfGateways } from "../measure/short-list.ts";
import { appToken } from "../servers/app.ts";
import type { ServerKind } from "../servers/server-kind.ts";

const MESSAGES: Readonly<Record<Effort, number>> = { quick: 14, normal: 14, full: 14 };
const OTHERS: Readonly<Record<Effort, number>> = { quick: 10_000, normal: 50_000, full: 50_000 };
/** The gateway's default limit. */
const FILTERS_PER_SOCKET = 100;
const USERS_PER_FILTER = 20;

const COST = "CPU µs per update";
const nameOf = (kind: string, others: number) => `${kind}, ${others === 0 ? "1 filter" : "50,001 filters"}`;

export const manyFilters: Scenario = {
  name: "many-filters",
  question: "Does an update cost more with 50,000 other filters?",
  method:
    "The updates of `update`, with one of their conversations watched. Then with 50,000 other filters " +
    `as well: half are by conversation and half name ${USERS_PER_FILTER} users each (10,000 in quick ` +
    "runs).",
  rounds: { quick: 1, normal: 4, full: 7 },
  warmUps: 4,
  targets: [{ figure: COST, of: nameOf("gateway-uws", 1), over: nameOf("gateway-uws", 0), atMost: 1.1 }],
  async contenders({ kinds, effort }) {
    const contenders: Contender[] = [];
    for (const kind of shortListOfGateways(kinds, effort))
      for (const others of [0, OTHERS[effort]])
        contenders.push(await contender(kind, others, MESSAGES[effort]));
    return contenders;
  },
};

async function contender(kind: ServerKind, others: number, messages: number): Promise<Contender> {
  const server = await kind.start();
  const crowd = await enterCrowd(kind.dialect, server.port);
  const token = await appToken();
  const watcher = await watch(server.port, token, [{ selectedConversationId: homeOf(0) }]);
  const watchers = await times(others / FILTERS_PER_SOCKET, (i) =>
    watch(server.port, token, otherFilters(i * FILTERS_PER_SOCKET)),
  );
  return {
    name: nameOf(kind.name, others),
    ...(others === 0 ? {} : { baseline: nameOf(kind.name, 0) }),
    round: async () => ({ [COST]: await cpuPerChange(server, crowd, messages) }),
    async close() {
      await crowd.leave();
      await closeAll([watcher, ...watchers]);
      await server.stop();
    },
  };
}

/** Filters that never match a user of the crowd. */
function otherFilters(first: number): object[] {
  return Array.from({ length: FILTERS_PER_SOCKET }, (_, i) => {
    const number = first + i;
    if (i % 2 === 0) return { selectedConversationId: `other-conversation-${number}` };
    return { userIds: Array.from({ length: USERS_PER_FILTER }, (_, j) => `other-user-${number}-${j}`) };
  });
}

/** Opens a socket that subscribes to all filters. Resolves after all snapshots. */
async function watch(port: number, token: string, filters: readonly object[]) {
  const socket = await connectSocket(port, token);
  await socket.requestAll(filters.map((filter, id) => textFrame({ type: "subscribe", id, filter })));
  return socket;
}
