import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createClient } from "../../src/client/index.ts";
import { FakeServer } from "../support/fake-server.ts";
import { type FakeSocket, fakeSockets } from "../support/fake-socket.ts";
import { plain, someone, TestSdk } from "../support/sdk.ts";
import { runs, SEED } from "../support/seed.ts";
import { until } from "../support/until.ts";

const RUNS = Number(process.env.HOSTILE_RUNS ?? runs(400));

const USERS = { alice: someone("s1"), ["__proto__"]: someone("s2"), constructor: someone("s3") };
const unpolluted = () => {
  for (const name of ["polluted", "status", "widgets", "type", "id", "more", "alice"]) {
    expect(({} as Record<string, unknown>)[name]).toBeUndefined();
  }
};

/** A gateway as it should be. */
function behave(socket: FakeSocket): void {
  socket.onSent = ({ type, id, sessionId, filter }) => {
    const view = `view of ${JSON.stringify(filter)}`;
    const opened = sessionId?.startsWith("new:") ? "fresh" : sessionId;
    if (type === "open") socket.say({ type: "opened", id, sessionId: opened, resumed: false });
    if (type === "subscribe") socket.say({ type: "snapshot", id, view, version: 7, data: USERS });
    if (type === "query") socket.say({ type: "result", id, data: USERS });
    if (type === "ping") socket.say({ type: "pong" });
  };
  socket.accept();
}

/** Every message that may come at this point, as it should be. */
function messages(socket: FakeSocket): Record<string, unknown>[] {
  // What ended meanwhile is not asked for again.
  const idOf = (type: string) => socket.messages(type)[0]?.id ?? 99;
  return [
    { type: "connected", id: 0, userId: null, nodeId: "n", heartbeatMs: 16_000, resumeWindowMs: 15_000 },
    { type: "opened", id: idOf("open"), sessionId: "session", resumed: false },
    { type: "closed", sessionId: "session", cause: "replaced" },
    { type: "closed", id: 3, sessionId: "session", cause: "kicked" },
    { type: "snapshot", id: idOf("subscribe"), view: "v", version: 3, data: USERS, more: true },
    {
      type: "snapshot",
      id: idOf("subscribe"),
      view: "v",
      version: 3,
      data: { ...USERS, dora: someone("s4") },
    },
    { type: "snapshot", view: "v", version: 9, data: { ["__proto__"]: someone("s2") }, reason: "lagged" },
    { type: "resumed", id: idOf("subscribe"), view: "v", version: 3 },
    {
      type: "diff",
      view: "v",
      version: 4,
      data: { alice: null, bob: someone("s9") },
      causes: { alice: "closed" },
    },
    {
      type: "diff",
      view: "v",
      version: 5,
      data: { ["__proto__"]: null },
      causes: { ["__proto__"]: "closed" },
    },
    { type: "result", id: idOf("query"), data: USERS, more: true },
    { type: "result", id: idOf("query"), data: USERS },
    { type: "error", id: idOf("query"), code: "RATE_LIMITED", message: "slowly", retryAfterMs: 5 },
    { type: "error", code: "RATE_LIMITED", message: "slowly", retryAfterMs: 5 },
    { type: "error", view: "v", code: "FORBIDDEN", message: "no" },
    { type: "error", id: 7, code: "NOT_FOUND", message: "what?", issues: [{ path: "a", message: "b" }] },
    { type: "token_expiring", expiresInMs: 60_000 },
    { type: "draining", reconnectInMs: 1_000 },
    { type: "ok", id: 5 },
    { type: "pong", id: 5 },
  ];
}

// As text: not all of it is what JSON.stringify makes.
const HOSTILE = [
  "null",
  "true",
  "0",
  "-1",
  "0.5",
  "1e400",
  "-1e400",
  "9007199254740993",
  '""',
  '"__proto__"',
  '"constructor"',
  `"${"x".repeat(300)}"`,
  "[]",
  "[[]]",
  "{}",
  '{"__proto__":{"polluted":1}}',
  '{"constructor":{"prototype":{"polluted":1}}}',
  '{"toString":1,"hasOwnProperty":1,"length":-1}',
  `${"[".repeat(20_000)}${"]".repeat(20_000)}`,
  '{"status":"online","backgroundSessions":[],"widgets":[null]}',
];

const step = fc.record({
  message: fc.nat(),
  /** Which of the message's places is mutated; beyond them: none. */
  place: fc.nat(40),
  how: fc.constantFrom(...HOSTILE, "delete", "inject"),
  times: fc.constantFrom(1, 1, 1, 2, 30),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** The places of a message, the whole of it first. */
function places(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  const inside =
    typeof value === "object" && value !== null
      ? Object.keys(value).flatMap((key) => places((value as Record<string, unknown>)[key], [...path, key]))
      : [];
  return [path, ...inside];
}

function mutate(message: Record<string, unknown>, { place, how }: Step): string {
  const path = places(message)[place];
  if (path === undefined) return JSON.stringify(message);
  const copy = JSON.parse(JSON.stringify({ message }));
  let target = copy;
  const [key = "message", ...above] = ["message", ...path].reverse();
  for (const name of above.reverse()) target = target[name];
  const mark = "@@here@@";
  if (how === "delete") delete target[key];
  else if (how === "inject" && typeof target[key] === "object" && target[key] !== null) target[key][mark] = 0;
  else target[key] = mark;
  return JSON.stringify(copy.message ?? null)
    .replace(`"${mark}":0`, '"__proto__":{"polluted":1},"polluted":1,"more":true')
    .replace(`"${mark}"`, how === "inject" ? "0" : how);
}

describe("a gateway that says what none should", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it(`does no harm, and all is right when it is itself again (${RUNS} runs, MODEL_SEED=${SEED})`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        let isMad = true;
        const { sockets, WebSocket } = fakeSockets((socket) => {
          if (isMad) queueMicrotask(() => socket.accept());
          else queueMicrotask(() => behave(socket));
        });
        const client = createClient({ url: "ws://gateway", appId: "app", token: async () => "t", WebSocket });
        const told: string[] = [];
        const session = client.open({ kind: "widget", onEnd: () => told.push("session") });
        const subscription = client.subscribe({}, () => {}, { onError: () => told.push("subscription") });
        const query = client.query({}).then(plain, (error) => error);
        client.on("error", (error) => expect(error.name).toBe("PresenceError"));
        await vi.advanceTimersByTimeAsync(10);
        for (const each of steps) {
          const socket = sockets.at(-1)!;
          if (socket.messages("connect").length === 0) {
            await vi.advanceTimersByTimeAsync(2_000);
            continue;
          }
          const all = messages(socket);
          const text = mutate(all[each.message % all.length]!, each);
          for (let i = 0; i < each.times; i++) socket.say(text);
          await vi.advanceTimersByTimeAsync(10);
          unpolluted();
        }
        expect(vi.getTimerCount()).toBeLessThan(10);
        isMad = false;
        sockets.at(-1)!.end(1006);
        await vi.advanceTimersByTimeAsync(95_000);
        unpolluted();
        expect(["connected", "idle"]).toContain(client.status());
        expect(session.state).toBe(told.includes("session") ? "closed" : "open");
        expect(subscription.state).toBe(told.includes("subscription") ? "error" : "active");
        if (subscription.state === "active") {
          expect(plain(subscription.snapshot!)).toEqual(Object.assign(Object.create(null), USERS));
        }
        expect(subscription.snapshot?.get("toString")).toBeUndefined();
        await query;
        const again = client.query({ hasFocus: true });
        await vi.advanceTimersByTimeAsync(95_000);
        expect((await again).get("__proto__")).toEqual(someone("s2"));
        const closed = client.close();
        await vi.advanceTimersByTimeAsync(2_100);
        await closed;
        expect(vi.getTimerCount()).toBe(0);
      }),
      { numRuns: RUNS, seed: SEED, endOnFailure: true },
    );
  });

  it("can't fill the memory with pages without end, in answers and snapshots alike", async () => {
    const { sockets, WebSocket } = fakeSockets();
    const client = createClient({
      url: "ws://gateway",
      appId: "app",
      token: "t",
      WebSocket,
      maxUsers: 1_000,
    });
    const query = client.query({}).catch((error) => error);
    const errors: unknown[] = [];
    client.subscribe({}, () => {}, { onError: (error) => errors.push(error) });
    await vi.advanceTimersByTimeAsync(10);
    const socket = sockets[0]!;
    socket.accept();
    const [asked, subscribed] = [socket.messages("query")[0].id, socket.messages("subscribe")[0].id];
    for (let i = 0; i < 200; i++) {
      const data = Object.fromEntries(Array.from({ length: 10 }, (_, k) => [`u${i}-${k}`, someone()]));
      socket.say({ type: "result", id: asked, data, more: true });
      socket.say({ type: "snapshot", id: subscribed, view: "v", version: 1, data, more: true });
    }
    expect(await query).toMatchObject({ code: "LIMIT_REACHED" });
    expect(errors).toMatchObject([{ code: "LIMIT_REACHED" }]);
    expect(socket.messages("unsubscribe")).toMatchObject([{ view: "v" }]);
    expect(client.status()).toBe("connected");
    await client.close();
  });

  it("can't make it loop by ending its session again and again", async () => {
    const { sockets, WebSocket } = fakeSockets(behave as never);
    const client = createClient({ url: "ws://gateway", appId: "app", token: "t", WebSocket });
    client.open({ kind: "widget" });
    await vi.advanceTimersByTimeAsync(10);
    const socket = sockets[0]!;
    behave(socket);
    for (let second = 0; second < 60; second++) {
      for (let i = 0; i < 100; i++) socket.say({ type: "closed", sessionId: "fresh", cause: "node-lost" });
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(socket.messages("open").length).toBeLessThanOrEqual(61);
    expect(socket.messages("open").length).toBeGreaterThan(10);
    await client.close();
  });
});

describe("a server that breaks the protocol on a real socket", () => {
  const VALUE = { alice: someone() };
  const deep = `${'{"a":'.repeat(50_000)}1${"}".repeat(50_000)}`;

  it.concurrent.each<[string, (server: FakeServer) => void]>([
    ["sends no JSON", (server) => server.on("subscribe", (_, connection) => connection.send("{"))],
    [
      "sends binary",
      (server) => server.on("subscribe", (_, connection) => connection.sendBinary(Buffer.from("{}"))),
    ],
    [
      "sends what is deep",
      (server) =>
        server.on("subscribe", ({ id }, connection) => {
          const text = JSON.stringify({ type: "snapshot", id, view: "v", version: 1, data: VALUE });
          connection.send(text.replace('"status"', `"junk":${deep},"status"`));
          connection.send(
            text.replace('"version":1', '"version":2').replace('"status"', `"junk":${deep},"status"`),
          );
        }),
    ],
    ["closes at once", (server) => server.on("connect", (_, connection) => connection.close(1011))],
    ["drops at once", (server) => server.on("connect", (_, connection) => connection.drop())],
    [
      "skips versions",
      (server) =>
        server.on("subscribe", ({ id }, connection) => {
          connection.send({ type: "snapshot", id, view: "v", version: 1, data: {} });
          connection.send({ type: "diff", view: "v", version: 3, data: VALUE });
        }),
    ],
    [
      "repeats versions",
      (server) =>
        server.on("subscribe", ({ id }, connection) => {
          connection.send({ type: "snapshot", id, view: "v", version: 1, data: {} });
          connection.send({ type: "diff", view: "v", version: 1, data: { bob: someone() } });
        }),
    ],
    [
      "resumes another view",
      (server) =>
        server.on("subscribe", ({ id }, connection) =>
          connection.send({ type: "resumed", id, view: "w", version: 1 }),
        ),
    ],
    [
      "gives two filters one view",
      (server) =>
        server.on("subscribe", ({ id }, connection) =>
          connection.send({ type: "snapshot", id, view: "v", version: 1, data: {} }),
        ),
    ],
    [
      "refuses with a status",
      (server) => {
        server.refusal = { status: 503, headers: { "Retry-After": "1" } };
      },
    ],
  ])("and %s is left, and found again when it is right", async (_, breakIt) => {
    const server = await FakeServer.start({}, { resumeWindowMs: 500 });
    server.push({}, VALUE);
    breakIt(server);
    const sdk = new TestSdk(server.url, "t");
    const watched = [sdk.watch({}), sdk.watch({ isTyping: true })];
    await until(() => sdk.statuses.includes("reconnecting"));
    await until(() => server.attempts.length >= 2);
    for (const type of ["connect", "subscribe"]) server.off(type);
    server.refusal = undefined;
    await until(() => watched[0]!.data.alice !== undefined && sdk.client.status() === "connected");
    expect(watched[0]!.data).toEqual(Object.assign(Object.create(null), VALUE));
    server.push({}, { bob: someone("t") });
    await until(() => watched[0]!.subscription.snapshot!.size === 2);
    expect(sdk.errors).toEqual([]);
    unpolluted();
    await sdk.client.close();
    await server.stop();
  });
});
