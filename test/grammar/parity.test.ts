import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GOODBYE_DEVIATIONS } from "../support/deviations.ts";
import { APP, TestGateway } from "../support/gateway.ts";
import { CLOSE, closeFrame, frame, RawWebSocket } from "../support/raw-websocket.ts";
import { NO_UWS } from "../support/transports.ts";
import { unless } from "../support/unless.ts";
import { until } from "../support/until.ts";

// The tests play the same scripts over each transport. A client must receive the same messages, apart from
// generated ids. Known differences in frames and handshakes are in ../support/deviations.ts.

const PATH = `/v1/${APP}/realtime`;
const RANDOM_SCRIPTS = Number(process.env.PARITY_RUNS ?? 60);
const SEED = 20_261_122;

/** Messages to send. `$app` and `$alice` stand for tokens, and `$0`, `$1` … for ids received so far. */
type Script = readonly string[];

const CONNECT = '{"type":"connect","id":0,"token":"$app"}';
const json = (...messages: unknown[]): string[] => messages.map((message) => JSON.stringify(message));
const widget = { type: "open", id: 1, kind: "widget", userId: "alice", selectedConversationId: "c1" };

const SCRIPTS: readonly Script[] = [
  [CONNECT, ...json(widget, { type: "update", id: 2, isTyping: true }, { type: "close", id: 3 })],
  [
    CONNECT,
    ...json(
      { type: "subscribe", id: 1, filter: {} },
      widget,
      { type: "update", hasFocus: true },
      { type: "update", custom: { a: "b" } },
      { type: "close" },
    ),
  ],
  [CONNECT, ...json(widget, { ...widget, id: 2 }, { type: "update", id: 3 }, { type: "close", id: 4 })],
  [
    CONNECT,
    ...json(
      { type: "subscribe", id: 1, filter: {} },
      { type: "subscribe", id: 2, filter: {} },
      { type: "unsubscribe", id: 3, view: "$1" },
    ),
  ],
  [CONNECT, ...json({ type: "subscribe", id: 1, filter: {}, since: { view: "none", version: 1 } })],
  [
    CONNECT,
    ...json(
      widget,
      { type: "query", id: 2, filter: { userIds: ["alice"] } },
      { type: "query", id: 3, filter: { userIds: 5 } },
    ),
  ],
  [CONNECT, ...json({ type: "refresh", id: 1, token: "$app" })],
  [CONNECT, ...json({ type: "refresh", id: 1, token: "$alice" })],
  [
    '{"type":"connect","id":0,"token":"$alice"}',
    ...json(
      { type: "open", kind: "widget" },
      { type: "open", kind: "widget", userId: "bob" },
      { type: "subscribe", id: 1, filter: {} },
    ),
  ],
  ['{"type":"connect","id":0,"token":"nonsense"}', ...json({ type: "ping" })],
  ['{"type":"connect","id":0}', CONNECT, CONNECT, "{"],
  json({ type: "ping" }),
  [CONNECT, ""],
  [CONNECT, "null", "[]", "5", '"ping"', "{}", "true"],
  [CONNECT, "\ufeff{}"],
  [
    CONNECT,
    '{"type":"ping","id":1e400}',
    '{"type":"ping","id":-0}',
    '{"type":"ping","id":-1}',
    '{"type":"ping","id":1.5}',
    '{"type":"ping","id":9007199254740993}',
  ],
  [CONNECT, '{"type":"ping","type":"nonsense","id":1}', '{"id":1,"id":2,"type":"ping"}'],
  [CONNECT, '{"__proto__":{"type":"ping"},"id":1}', '{"type":"ping","id":1,"__proto__":{"id":2}}'],
  [
    CONNECT,
    '{"type":"open","kind":"widget","userId":"\\ud800"}',
    '{"type":"open","kind":"widget","userId":"a\\u0000b"}',
    '{"type":"open","kind":"widget","userId":"__proto__"}',
  ],
  [CONNECT, "[".repeat(8_000)],
  [CONNECT, `{"type":"ping","id":1,"x":${"[".repeat(5_000)}${"]".repeat(5_000)}}`],
  [CONNECT, `{"type":"ping","id":1,${Array.from({ length: 10_000 }, (_, i) => `"k${i}":1`).join(",")}}`],
  [CONNECT, ...Array.from({ length: 25 }, () => '{"type":"nonsense","id":1}')],
];

const VALUES = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    "",
    "x".repeat(300),
    "c1",
    0,
    -1,
    1.5,
    2 ** 53,
    [],
    {},
    ["a"],
    { a: "b" },
    { a: 1 },
    "\ud800",
    "__proto__",
  ),
  fc.json().map((text) => JSON.parse(text)),
);
const FIELDS = [
  "type",
  "id",
  "kind",
  "userId",
  "sessionId",
  "visible",
  "selectedConversationId",
  "hasFocus",
  "isTyping",
  "custom",
  "filter",
  "since",
  "view",
  "token",
];
const TEMPLATES: readonly Record<string, unknown>[] = [
  widget,
  { type: "open", kind: "background", userId: "bob" },
  { type: "update", id: 2, isTyping: true },
  { type: "close", id: 3 },
  { type: "subscribe", id: 4, filter: { hasFocus: true } },
  { type: "query", id: 5, filter: { userIds: ["alice", "bob"] } },
  { type: "unsubscribe", id: 6, view: "v" },
  { type: "ping", id: 7 },
];
/** Messages with some fields replaced, and some truncated texts. */
const MESSAGES = fc
  .tuple(
    fc.constantFrom(...TEMPLATES),
    fc.array(fc.tuple(fc.constantFrom(...FIELDS), VALUES), { maxLength: 3 }),
    fc.nat(400),
  )
  .map(([template, changes, cut]) => {
    const text = JSON.stringify({ ...template, ...Object.fromEntries(changes) });
    return cut < 4 ? text.slice(0, cut) : text;
  });
const RANDOM: readonly Script[] = fc
  .sample(fc.array(MESSAGES, { minLength: 1, maxLength: 12 }), { seed: SEED, numRuns: RANDOM_SCRIPTS })
  .map((messages) => [CONNECT, ...messages]);

/** Plays a script on its own socket. Returns the received messages as text, and how the socket ended. */
async function play(gateway: TestGateway, script: Script): Promise<string[]> {
  const tokens: Record<string, string> = {
    $app: await gateway.token({ tokenType: "app" }, 4_000_000_000),
    $alice: await gateway.token({ tokenType: "user", sub: "alice" }, 4_000_000_000),
  };
  const client = await RawWebSocket.open(gateway.gateway.port, { path: PATH });
  const names: string[] = [];
  const heard = () =>
    client.frames.map(({ payload }) => String(payload)).filter((text) => !text.includes('"id":31337'));
  const nameAll = () => {
    for (const text of heard()) {
      for (const [name] of text.matchAll(/[\w-]{21}(?=[":])/g)) if (!names.includes(name)) names.push(name);
    }
  };
  for (const text of script) {
    nameAll();
    const filled = text
      .replace(/\$app|\$alice/g, (name) => tokens[name]!)
      .replace(/\$(\d+)/g, (name, i) => names[i] ?? name);
    client.write(frame({ payload: filled }));
    // The reply to this ping comes after the replies to all earlier messages.
    const pongs = () => client.frames.filter(({ payload }) => payload.includes('"id":31337')).length;
    const asked = pongs();
    if (/"type":"(connect|refresh)"/.test(text)) {
      const before = client.frames.length;
      await client.until(() => client.frames.length > before || client.closeFrame !== undefined);
    }
    client.write(frame({ payload: '{"type":"ping","id":31337}' }));
    await client.until(() => pongs() > asked || client.closeFrame !== undefined);
  }
  const end =
    client.closeFrame === undefined
      ? "open"
      : `closed ${client.closeFrame.closed} ${client.closeFrame.reason}`;
  nameAll();
  const transcript = heard().map((text) =>
    names.reduce((each, name, i) => each.replaceAll(name, `$${i}`), text),
  );
  client.destroy();
  await until(() => gateway.node.debugCounts().managedConnections === 0);
  return [...transcript, end];
}

unless(NO_UWS, describe)("both transports", () => {
  async function playAll(transport: "ws" | "uws", scripts: readonly Script[]): Promise<string[][]> {
    const gateway = await TestGateway.start(transport, {
      env: { RESUME_WINDOW_MS: "0", NODE_ID: "node", DIFF_INTERVAL_MS: "0" },
    });
    const transcripts = [];
    for (const script of scripts) transcripts.push(await play(gateway, script));
    expect(gateway.log.filter((line) => line.includes("crash"))).toEqual([]);
    await gateway.stop();
    return transcripts;
  }

  it.each([
    ["that a person wrote", SCRIPTS],
    ["that is random", RANDOM],
  ])(
    "answer alike to a script %s",
    async (_name, scripts) => {
      const ws = await playAll("ws", scripts);
      const uws = await playAll("uws", scripts);
      expect(ws.flat().length).toBeGreaterThan(scripts.length);
      expect(uws).toEqual(ws);
    },
    600_000,
  );

  const ENDS: Record<string, (client: RawWebSocket) => void> = {
    "a close with 1000": (client) => client.write(closeFrame(1000)),
    "a close without a code": (client) => client.write(closeFrame()),
    "a close with 1001": (client) => client.write(closeFrame(1001)),
    "a close with 4000": (client) => client.write(closeFrame(4000)),
    "a close with 3000": (client) => client.write(closeFrame(3000)),
    "a close with 999": (client) => client.write(closeFrame(999)),
    "a close with 1005": (client) => client.write(closeFrame(1005)),
    "a close of one byte": (client) => client.write(frame({ opcode: CLOSE, payload: "x" })),
    "a close whose reason is not UTF-8": (client) => client.write(closeFrame(1000, Buffer.of(0xff))),
    "a close that is too long": (client) => client.write(closeFrame(1000, "r".repeat(124))),
    "a reserved bit": (client) => client.write(frame({ rsv: 4 })),
    "a message that is too large": (client) => client.write(frame({ length: 2n ** 40n })),
    "half a frame, then TCP's end": (client) => client.tcp.end(frame({ payload: "{}" }).subarray(0, 3)),
    "TCP's end": (client) => client.tcp.end(),
    "a reset": (client) => client.tcp.resetAndDestroy(),
  };

  it("agree on which closes end sessions at once, and after which the sessions wait to be resumed", async () => {
    const left: Record<string, Record<string, number>> = {};
    for (const transport of ["ws", "uws"] as const) {
      const gateway = await TestGateway.start(transport);
      for (const [name, end] of Object.entries(ENDS)) {
        const client = await RawWebSocket.open(gateway.gateway.port, { path: PATH });
        client.send({ type: "connect", token: await gateway.token({ tokenType: "app" }) });
        client.send({ type: "open", kind: "widget", userId: name });
        await client.until(() => client.messages.length === 2);
        end(client);
        await until(
          () => gateway.node.debugCounts().managedConnections === 0 || client.closeFrame !== undefined,
        );
        client.tcp.end();
        await until(() => gateway.node.debugCounts().managedConnections === 0);
        left[name] = {
          ...left[name],
          [transport]: gateway.presence().table.user(name)?.sessions.length ?? 0,
        };
        client.destroy();
      }
      await gateway.stop();
    }
    const differ = Object.keys(left).filter((name) => left[name]!.ws !== left[name]!.uws);
    expect(differ).toEqual(GOODBYE_DEVIATIONS.map(({ end }) => end));
    const goodbyes = Object.keys(left).filter((name) => left[name]!.ws === 0);
    expect(goodbyes).toEqual(["a close with 1000", "a close without a code"]);
  });
});
