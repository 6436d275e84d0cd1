import { HttpLoad } from "../load/http-load.ts";
import { closeAll, connectSocket, openSession } from "../load/sockets.ts";
import type { Contender, Scenario } from "../measure/scenario.ts";
import { APP, appToken, SECRET } from "../servers/app.ts";
import { floorOf, isGateway, type ServerKind, ServerProcess } from "../servers/server-process.ts";

/*
 * The question: what does a query over HTTP cost? It asks for the 20 users of one conversation among 1,000 sessions.
 * The floor reads and parses the same body and answers with the same bytes, ready made. The "ws" half is node:http.
 */

const SESSIONS = 1_000;
const USERS_PER_CONVERSATION = 20;
const CONNECTIONS = 50;
const REQUESTS = 20_000;
const PATH = `/v1/${APP.id}/presences`;
const FILTER = JSON.stringify({ selectedConversationId: "conversation-7" });

export const query: Scenario = {
  name: "query",
  question: "what does a query over HTTP cost? 20 users of 1,000, 50 keep-alive connections",
  method: "",
  rounds: { quick: 1, normal: 5, full: 15 },
  warmUps: 1,
  targets: [],
  async contenders({ kinds, effort }) {
    const contenders: Contender[] = [];
    let answer = "";
    // Gateways come first: the floors are told what one of them answered.
    for (const kind of kinds) {
      const server = await ServerProcess.start(kind);
      const close = await fill(server, kind);
      if (isGateway(kind)) answer = await ask(server.port);
      else await server.say(answer);
      contenders.push(contender(kind, server, effort === "quick" ? 4_000 : REQUESTS, close));
    }
    return contenders;
  },
};

function contender(
  kind: ServerKind,
  server: ServerProcess,
  requests: number,
  close: () => Promise<void>,
): Contender {
  const head = `POST ${PATH} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nAuthorization: Bearer ${SECRET}\r\n`;
  const body = `Content-Type: application/json\r\nContent-Length: ${FILTER.length}\r\n\r\n${FILTER}`;
  const request = Buffer.from(head + body);
  return {
    name: kind,
    ...floorOf(kind),
    async round() {
      // Fresh connections: a server may close those that were quiet while the others had their turns.
      const load = await HttpLoad.open(server.port, CONNECTIONS, request);
      await load.run(CONNECTIONS);
      const before = await server.usage();
      const startedAt = performance.now();
      await load.run(requests);
      const seconds = (performance.now() - startedAt) / 1000;
      const { cpuMicros } = await server.usage();
      load.close();
      return {
        "CPU µs per query": (cpuMicros - before.cpuMicros) / requests,
        "queries a second": requests / seconds,
      };
    },
    async close() {
      await close();
      await server.stop();
    },
  };
}

/** Fills a gateway over one socket of an app token; a floor has nothing to fill. */
async function fill(server: ServerProcess, kind: ServerKind): Promise<() => Promise<void>> {
  if (!isGateway(kind)) return async () => {};
  const socket = await connectSocket(server.port, await appToken());
  for (let i = 0; i < SESSIONS; i++) {
    const selectedConversationId = `conversation-${Math.floor(i / USERS_PER_CONVERSATION)}`;
    await openSession(socket, { userId: `user-${i}`, selectedConversationId });
  }
  return () => closeAll([socket]);
}

async function ask(port: number): Promise<string> {
  const headers = { authorization: `Bearer ${SECRET}`, "content-type": "application/json" };
  const response = await fetch(`http://127.0.0.1:${port}${PATH}`, { method: "POST", headers, body: FILTER });
  const text = await response.text();
  const users = Object.keys((JSON.parse(text) as { data: object }).data).length;
  if (users !== USERS_PER_CONVERSATION)
    throw new Error(`the answer has ${users} users: ${text.slice(0, 200)}`);
  return text;
}
