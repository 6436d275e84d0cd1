import { setTimeout as delay } from "node:timers/promises";
import type { Contender, Effort, Figures, Scenario } from "../measure/scenario.ts";
import { APP, SECRET } from "../servers/app.ts";
import type { Population } from "../servers/gateway.ts";
import { Nodes, nodeKind } from "../servers/nodes.ts";
import type { ServerKind } from "../servers/server-kind.ts";

const SESSIONS = 100_000;
const IDLE_MS: Readonly<Record<Effort, number>> = { quick: 0, normal: 2_000, full: 5_000 };
const USERS_PER_CONVERSATION = 20;
const LONGEST_FILL_MS = 60_000;

const READY = "until a new node is ready, ms";
const IDLE = "Redis commands a second and node, nobody does anything";

const among = (kind: string, sessions: number) =>
  `${kind}, ${sessions === 0 ? "no" : sessions.toLocaleString("en-US")} sessions`;

export const nodesReady: Scenario = {
  name: "nodes-ready",
  question: "How soon is a new node ready, and what do idle sessions cost?",
  method:
    "A node with 100,000 sessions, created inside its process, is idle for a while. Then a second node " +
    "starts. The time is from its start until `/readyz` responds with 200. The second node must then " +
    "know all sessions.",
  rounds: { quick: 0, normal: 1, full: 1 },
  warmUps: 0,
  onlyInFullRuns: true,
  targets: [{ figure: IDLE, of: among("gateway-uws", SESSIONS), atMost: 3 }],
  async contenders(options) {
    const { effort, addNote } = options;
    const kind = effort === "quick" ? undefined : nodeKind(options);
    if (effort === "quick") addNote("Not in the quick form.");
    if (kind === undefined) return [];
    return Promise.all([0, SESSIONS].map((sessions) => contender(kind, sessions, IDLE_MS[effort])));
  },
};

async function contender(kind: ServerKind, sessions: number, idleMs: number): Promise<Contender> {
  const nodes = await Nodes.start(kind, 1);
  await fill(nodes, sessions);

  async function idle(): Promise<Figures> {
    const { redisCommands, ms } = await nodes.measure(() => delay(idleMs));
    const { rowBytes, logBytes } = await nodes.redis.sizes();
    return {
      [IDLE]: (redisCommands * 1_000) / ms,
      "bytes in Redis per session": rowBytes / sessions,
      // The log contains only these changes so far.
      "bytes in the log per change": logBytes / sessions,
    };
  }

  return {
    name: among(kind.name, sessions),
    async round() {
      const atRest = sessions > 0 ? await idle() : {};
      const startedAt = performance.now();
      const added = await nodes.add();
      const readyMs = performance.now() - startedAt;
      const { cpuMicros } = await added.usage();
      const shown = await sessionsOf(added.port);
      if (shown !== sessions) throw new Error(`a node reports ready with ${shown} of ${sessions} sessions`);
      const { heapBytes } = await added.usageAfterGc();
      await nodes.remove();
      return {
        [READY]: readyMs,
        "CPU ms of the new node": cpuMicros / 1_000,
        "heap MB of the new node": heapBytes! / 1e6,
        ...atRest,
      };
    },
    close: () => nodes.stop(),
  };
}

/** Fills the only node with sessions. Resolves when Redis has all of them. */
async function fill(nodes: Nodes, sessions: number): Promise<void> {
  if (sessions === 0) return;
  const population: Population = { users: sessions, usersPerConversation: USERS_PER_CONVERSATION };
  await nodes.servers[0]!.prepare!(JSON.stringify(population));
  const deadline = performance.now() + LONGEST_FILL_MS;
  while ((await nodes.redis.sessions()) < sessions) {
    if (performance.now() > deadline) throw new Error("the sessions do not reach Redis");
    await delay(100);
  }
}

async function sessionsOf(port: number): Promise<number> {
  const headers = { authorization: `Bearer ${SECRET}` };
  const response = await fetch(`http://127.0.0.1:${port}/v1/${APP.id}/stats`, { headers });
  return ((await response.json()) as { sessions: number }).sessions;
}
