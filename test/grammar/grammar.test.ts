import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TestClient } from "../support/client.ts";
import { agrees, DEVIATIONS, type Deviation, expected } from "../support/deviations.ts";
import { APP, TestGateway } from "../support/gateway.ts";
import { frame, PONG, RawWebSocket, sliced } from "../support/raw-websocket.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { AUTOBAHN, type GrammarCase, MORE } from "./cases.ts";
import { cut, ping } from "./messages.ts";

// Each rule about frames is kept once and broken once. Known differences are in ../support/deviations.ts.

const PATH = `/v1/${APP}/realtime`;
/** Number of cases that run at a time. */
const AT_ONCE = 24;
/** The id of a last ping. Its answer shows that the socket is still open. */
const SENTINEL = 999_999;

it("there is exactly one case for each of Autobahn's", () => {
  expect(AUTOBAHN).toHaveLength(247);
  const ids = [...AUTOBAHN, ...MORE].map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
});

describe.each(TRANSPORTS)("frames over %s", (transport) => {
  let gateway: TestGateway;
  let witness: TestClient;
  let token: string;
  const deviations = new Set<Deviation>();
  let witnessed = 0;
  let witnessing: NodeJS.Timeout;

  beforeAll(async () => {
    gateway = await TestGateway.start(transport, {
      env: { RESUME_WINDOW_MS: "0", MESSAGES_PER_SECOND: "1000" },
    });
    token = await gateway.token({ tokenType: "app" });
    witness = await gateway.connect();
    await witness.open({ userId: "witness" });
    witnessing = setInterval(() => witness.send({ type: "ping", id: witnessed++ }), 20);
  });
  afterAll(() => gateway.stop());

  /** Plays a case on its own connection. Returns what was seen, in order, and how the connection ended. */
  async function play(each: GrammarCase, isSliced: boolean): Promise<string[]> {
    const client = await RawWebSocket.open(gateway.gateway.port, { path: PATH });
    client.send({ type: "connect", token });
    await client.until(() => client.frames.length > 0);
    client.frames.length = 0;
    const last = frame({ payload: ping(SENTINEL) });
    const bytes = Buffer.concat([...each.frames, last]);
    if (isSliced) await client.writeSliced(sliced(bytes));
    else if (each.pieces === "frames") await client.writeSliced([...each.frames, last]);
    else if (each.pieces !== undefined) await client.writeSliced(cut(bytes, each.pieces));
    else client.write(bytes);

    const seen = () =>
      client.frames.map(({ opcode, payload }) =>
        opcode === PONG ? `pong ${payload.toString("latin1")}` : describeMessage(payload),
      );
    const lives = () => seen().at(-1) === `answer ${SENTINEL}`;
    let end = "silence";
    await client.until(() => lives() || client.closeFrame !== undefined);
    if (lives()) {
      end = "open";
      client.frames.pop();
    } else if (client.isOver || client.closeFrame !== undefined) {
      // Anything that follows a close frame is a violation.
      client.tcp.end();
      const how = await client.ended;
      end = how === "dropped" ? how : `close ${how.closed}`;
    }
    const stored = each.stored && storedText(each.stored.user);
    client.destroy();
    expect(client.violations, each.id).toEqual([]);
    if (end === "open") expect(stored, each.id).toBe(each.stored?.text);
    return [...seen(), end];
  }

  function storedText(user: string): string | undefined {
    const sessions = [...(gateway.presence().table.user(user)?.sessions ?? [])];
    return sessions.at(-1)?.custom.t;
  }

  async function playAll(cases: readonly GrammarCase[], isSliced: boolean) {
    const wrong: string[] = [];
    const left = [...cases];
    const worker = async () => {
      for (let each = left.shift(); each !== undefined; each = left.shift()) {
        const sees = await play(each, isSliced);
        const { sees: expects, deviation } = expected(transport, each.id, each.sees);
        if (deviation !== undefined) deviations.add(deviation);
        if (!agrees(sees, expects)) {
          wrong.push(`${each.id} ${each.what}: ${sees.join(", ")} and not ${expects.join(", ")}`);
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    return wrong;
  }

  it.each([
    ["Autobahn's", AUTOBAHN, false],
    ["Autobahn's", AUTOBAHN, true],
    ["further", MORE, false],
    ["further", MORE, true],
  ] as const)("%s cases", async (_name, cases, isSliced) => {
    expect(await playAll(cases, isSliced)).toEqual([]);
  });

  it("every listed deviation occurs", () => {
    const listed = DEVIATIONS.filter((each) => each.transport === transport);
    expect(listed.filter((each) => !deviations.has(each))).toEqual([]);
  });

  it("no other client is affected", async () => {
    clearInterval(witnessing);
    await witness.settled();
    const answered = witness.inbox.filter(({ type }) => type === "pong").map(({ id }) => id);
    expect(answered).toEqual(Array.from({ length: witnessed }, (_, i) => i));
    expect(witness.inbox).toHaveLength(witnessed);
    expect(Object.keys(await gateway.query())).toEqual(["witness"]);
    expect(gateway.log.filter((line) => line.includes("crash"))).toEqual([]);
    await expect
      .poll(() => gateway.node.debugCounts())
      .toMatchObject({ managedConnections: 1, connections: 1, addresses: 1, timers: 1 });
  });
});

function describeMessage(payload: Buffer): string {
  const { type, id } = JSON.parse(String(payload));
  return type === "pong" || type === "opened" ? `answer ${id}` : `${type} ${id}`;
}
