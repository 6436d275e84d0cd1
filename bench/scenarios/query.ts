import { type Dialect, enterNew, type HttpQuery } from "../load/dialect.ts";
import { HttpLoad } from "../load/http-load.ts";
import { closeAll, times } from "../load/sockets.ts";
import type { Contender, Effort, Scenario } from "../measure/scenario.ts";
import { shortList } from "../measure/short-list.ts";
import { SECRET, userToken } from "../servers/app.ts";
import type { Population } from "../servers/gateway.ts";
import { labelOf, type RunningServer } from "../servers/server-kind.ts";

const SESSIONS = 1_000;
const USERS_PER_CONVERSATION = 20;
const CONNECTIONS = 50;
const REQUESTS: Readonly<Record<Effort, number>> = { quick: 4_000, normal: 4_000, full: 4_000 };
const CONVERSATION = "conversation-7";
const MANY: Readonly<Record<Effort, number>> = { quick: 100_000, normal: 1_000_000, full: 1_000_000 };
const COST = "CPU µs per query";

export const query: Scenario = {
  name: "query",
  question: "What does a query over HTTP cost, and does it cost more with very many sessions?",
  method:
    "The users of a conversation: 20 users among 1,000 sessions, then among 1,000,000 sessions created " +
    "inside the process (100,000 in quick runs). 50 keep-alive connections. The baseline parses the " +
    "same body and responds with the same bytes, prepared in advance. The baseline of ws is node:http.",
  rounds: { quick: 1, normal: 4, full: 9 },
  warmUps: 3,
  targets: [
    { figure: COST, of: "gateway-uws", over: "baseline-uws", atMost: 1.3 },
    { figure: COST, of: amongMany("gateway-uws"), over: "gateway-uws", atMost: 1.1 },
  ],
  async contenders({ kinds, effort }) {
    const contenders: Contender[] = [];
    let answer = "";
    // Gateways are first, because the baselines respond with the response of a gateway.
    for (const kind of kinds) {
      const { query } = kind.dialect;
      if (query === undefined) continue;
      const server = await kind.start();
      const leave = kind.role === "baseline" ? async () => {} : await fill(server.port, kind.dialect);
      if (kind.role === "baseline") await server.prepare?.(answer);
      else {
        const answered = await ask(server.port, query(CONVERSATION));
        if (kind.role === "gateway") answer = answered;
      }
      contenders.push(contender(labelOf(kind), server, query(CONVERSATION), effort, leave));
    }
    for (const kind of shortList(kinds, effort)) {
      const { query } = kind.dialect;
      if (kind.role !== "gateway" || query === undefined) continue;
      const server = await kind.start();
      const population = { users: MANY[effort], usersPerConversation: USERS_PER_CONVERSATION };
      await server.prepare?.(JSON.stringify(population satisfies Population));
      await ask(server.port, query(CONVERSATION));
      const label = { name: amongMany(kind.name), baseline: kind.name };
      contenders.push(contender(label, server, query(CONVERSATION), effort, async () => {}));
    }
    return contenders;
  },
};

function amongMany(name: string): string {
  return `${name}, among very many`;
}

function contender(
  label: { name: string; baseline?: string },
  server: RunningServer,
  query: HttpQuery,
  effort: Effort,
  leave: () => Promise<void>,
): Contender {
  const request = requestOf(server.port, query);
  const requests = REQUESTS[effort];
  return {
    ...label,
    async round() {
      // New connections: a server may have closed idle ones while the other contenders had their turns.
      const load = await HttpLoad.open(server.port, CONNECTIONS, request);
      await load.run(CONNECTIONS);
      const before = await server.usage();
      const startedAt = performance.now();
      await load.run(requests);
      const seconds = (performance.now() - startedAt) / 1000;
      const { cpuMicros } = await server.usage();
      load.close();
      return {
        [COST]: (cpuMicros - before.cpuMicros) / requests,
        "queries a second": requests / seconds,
      };
    },
    async close() {
      await leave();
      await server.stop();
    },
  };
}

async function fill(port: number, dialect: Dialect): Promise<() => Promise<void>> {
  const members = await times(SESSIONS, async (i) =>
    enterNew(
      dialect,
      port,
      await userToken(`user-${i}`),
      `conversation-${Math.floor(i / USERS_PER_CONVERSATION)}`,
    ),
  );
  return () => closeAll(members.map(({ socket }) => socket));
}

function requestOf(port: number, { path, body }: HttpQuery): Buffer {
  return Buffer.from(
    `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${SECRET}\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

/** Sends one query and checks the response. */
async function ask(port: number, { path, body, users }: HttpQuery): Promise<string> {
  const headers = { authorization: `Bearer ${SECRET}`, "content-type": "application/json" };
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: "POST", headers, body });
  const text = await response.text();
  if (users(text) !== USERS_PER_CONVERSATION)
    throw new Error(`not the ${USERS_PER_CONVERSATION} users asked for: ${text.slice(0, 200)}`);
  return text;
}
