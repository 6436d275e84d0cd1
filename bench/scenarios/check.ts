import { HttpLoad } from "../load/http-load.ts";
import type { Contender, Effort, Scenario } from "../measure/scenario.ts";
import { shortListOfGateways } from "../measure/short-list.ts";
import { APP, SECRET } from "../servers/app.ts";
import type { Population } from "../servers/gateway.ts";
import type { ServerKind } from "../servers/server-kind.ts";

const USERS: Readonly<Record<Effort, number>> = { quick: 100_000, normal: 1_000_000, full: 1_000_000 };
const ASKED = 10_000;
const CHECKS = 20;
const COST = "CPU ms per check";

export const check: Scenario = {
  name: "check",
  question: "What does it cost to ask whether 10,000 users are present?",
  method:
    "`POST /presences/check` with 10,000 ids, spread over 1,000,000 users created inside the process " +
    "(100,000 in quick runs), each in a conversation. Half of the ids are of users who are online. Then " +
    "the same with a filter by conversation. One connection. The body is read, and all ids are in the " +
    "answer.",
  rounds: { quick: 1, normal: 4, full: 7 },
  warmUps: 2,
  targets: [
    { figure: COST, of: "gateway-uws", atMost: 5 },
    { figure: COST, of: "gateway-uws, with a filter", atMost: 5 },
  ],
  async contenders({ kinds, effort }) {
    const contenders: Contender[] = [];
    for (const kind of shortListOfGateways(kinds, effort)) {
      contenders.push(...(await contendersOf(kind, USERS[effort])));
    }
    return contenders;
  },
};

/** Both use one server. */
async function contendersOf(kind: ServerKind, users: number): Promise<Contender[]> {
  const server = await kind.start();
  await server.prepare?.(JSON.stringify({ users, usersPerConversation: 20 } satisfies Population));
  const userIds = Array.from({ length: ASKED }, (_, i) => {
    const user = Math.floor((i * users) / ASKED);
    return i % 2 === 0 ? `user-${user}` : `absent-${user}`;
  });
  const contender = async (name: string, filter: object, present: number): Promise<Contender> => {
    const request = requestOf(server.port, { userIds, filter });
    await expectPresent(server.port, { userIds, filter }, present);
    return {
      name,
      async round() {
        const load = await HttpLoad.open(server.port, 1, request);
        await load.run(2);
        const before = await server.usage();
        await load.run(CHECKS);
        const { cpuMicros } = await server.usage();
        load.close();
        return { [COST]: (cpuMicros - before.cpuMicros) / 1_000 / CHECKS };
      },
      close: () => server.stop(),
    };
  };
  return [
    await contender(kind.name, {}, ASKED / 2),
    await contender(`${kind.name}, with a filter`, { selectedConversationId: "conversation-0" }, 1),
  ];
}

const PATH = `/v1/${APP.id}/presences/check`;

function requestOf(port: number, question: object): Buffer {
  const body = JSON.stringify(question);
  return Buffer.from(
    `POST ${PATH} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${SECRET}\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

/** Asks once, and throws if the answer has another number of present users. */
async function expectPresent(port: number, question: object, present: number): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}${PATH}`, {
    method: "POST",
    headers: { authorization: `Bearer ${SECRET}`, "content-type": "application/json" },
    body: JSON.stringify(question),
  });
  const text = await response.text();
  const { data } = JSON.parse(text) as { data?: { present: string[]; absent: string[] } };
  if (data?.present.length !== present || data.absent.length !== ASKED - present)
    throw new Error(`not the ${present} users who are there: ${response.status} ${text.slice(0, 200)}`);
}
