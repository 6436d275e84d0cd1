import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { APP, SECRET, TestGateway } from "../support/gateway.ts";
import { HandClock } from "../support/hand-clock.ts";
import { TRANSPORTS } from "../support/transports.ts";

const V1 = `/v1/${APP}`;
const OTHER = { id: "other-app", secrets: [SECRET] };
/** Its id is a path that leads to the other app, for those who decode it. */
const CLIMBING = { id: `x/../${OTHER.id}`, secrets: [SECRET] };

describe.each(TRANSPORTS)("a batch over %s", (transport) => {
  let gateway: TestGateway;
  const batch = (body: unknown, headers?: Record<string, string>) =>
    gateway.http("POST", `${V1}/batch`, body, headers);
  beforeAll(async () => {
    gateway = await TestGateway.start(transport, {
      apps: [OTHER, CLIMBING],
      env: { MAX_BUFFERED_BYTES: "65536", HTTP_REQUESTS_PER_SECOND: "100000" },
    });
  });
  afterAll(() => gateway.stop());

  it("runs its requests one after another, and answers in their order", async () => {
    const { status, json } = await batch([
      [1, "PUT", "/users/alice/sessions/k", { hasFocus: true }],
      ["two", "POST", "/presences"],
      [3, "POST", "/presences", { hasFocus: false }],
      [3, "POST", "/presences/count", null],
      [5, "GET", "/users/sessions?userId=alice"],
      [6, "DELETE", "/users/alice/sessions"],
      [7, "GET", "/users/alice/sessions"],
      [-8, "PUT", "/users/a%2Fb/status", { availability: "busy" }],
      [9, "GET", "/users/status?userId=a%2Fb"],
    ]);
    expect(status).toBe(200);
    expect(json).toEqual([
      [1, 200, { data: { sessionId: expect.any(String), expiresAt: expect.any(Number), created: true } }],
      ["two", 200, { data: { alice: expect.objectContaining({ status: "online" }) } }],
      [3, 200, { data: {} }],
      [3, 200, { data: { users: 1 } }],
      [5, 200, [{ isTyping: false, currentConversationId: null }]],
      [6, 200, { ended: 1 }],
      [7, 200, []],
      [-8, 200, { data: { availability: "busy" } }],
      [9, 200, { data: { availability: "busy" } }],
    ]);
  });

  it("goes on after a request that fails", async () => {
    const { json } = await batch([
      [1, "POST", "/presences", { userId: "x" }],
      [2, "POST", "/stats"],
      [3, "GET", "/stats"],
    ]);
    expect(json.map(([seq, status]: [number, number]) => [seq, status])).toEqual([
      [1, 400],
      [2, 405],
      [3, 200],
    ]);
    expect(json[0][2]).toMatchObject({ errorCode: "BAD_REQUEST", reasons: { userId: [expect.any(String)] } });
  });

  it.each([
    ["POST", "/batch"],
    ["POST", "/%62atch"],
    ["GET", "/presences/stream"],
    ["GET", "/realtime"],
    ["GET", "/"],
    ["GET", "/../../metrics"],
    ["GET", `/../${OTHER.id}/stats`],
    ["GET", `/%2E%2E/${OTHER.id}/stats`],
    ["GET", `/..%2F${OTHER.id}%2Fstats`],
    ["GET", `/%2e%2e%2f${OTHER.id}/stats`],
    ["GET", `/./../${OTHER.id}/stats`],
    ["GET", `/presences/../../${OTHER.id}/stats`],
    ["GET", `/?/../${OTHER.id}/stats`],
    ["GET", "//stats"],
    ["GET", "/stats/"],
    ["GET", "/stats%00"],
    ["GET", "/%"],
    ["POST", "/batch?x=1"],
    ["GET", "/presences/stream?filter={}"],
    ["GET", "/nowhere"],
    ["GET", "stats"],
    ["GET", ""],
    ["GET", "http://example.com/stats"],
    ["GET", "/stats#x"],
    ["", "/nowhere"],
  ])("has no %s %s", async (method, path) => {
    const { status, json } = await batch([[1, method, path, [[1, "GET", "/stats"]]]]);
    expect([status, json[0][1]]).toEqual([200, 404]);
  });

  it("never leaves the app, whatever a user or the app itself is called", async () => {
    await gateway.http("PUT", `/v1/${OTHER.id}/users/alice/sessions/k`, {});
    const climb = `..%2F..%2F..%2F${OTHER.id}%2Fusers%2Falice`;
    const requests = [
      [1, "GET", `/users/${climb}/sessions`],
      [2, "DELETE", `/users/${climb}/sessions`],
      [3, "DELETE", `/users/${climb}`],
      [4, "GET", "/users/../sessions"],
      [5, "POST", "/presences"],
    ];
    for (const app of [APP, encodeURIComponent(CLIMBING.id)]) {
      const { json } = await gateway.http("POST", `/v1/${app}/batch`, requests);
      expect(json.slice(0, 4)).toEqual([
        [1, 200, []],
        [2, 200, { ended: 0 }],
        [3, 200, { ended: 0, erased: true }],
        [4, 200, []],
      ]);
      expect(json[4][2].data).not.toHaveProperty("alice");
    }
    const { json } = await gateway.http("POST", `/v1/${OTHER.id}/presences`, {});
    expect(Object.keys(json.data)).toEqual(["alice"]);
  });

  it.each(["get", "PATCH", "TRACE", "\n", "GET /metrics HTTP/1.1", "x".repeat(10_000)])(
    "has no method %j",
    async (method) => {
      const { status, json } = await batch([
        [1, method, "/stats"],
        [2, "GET", "/stats"],
      ]);
      expect([status, json.map((each: unknown[]) => each[1])]).toEqual([200, [405, 200]]);
    },
  );

  it("may be empty", async () => {
    expect(await batch([])).toMatchObject({ status: 200, json: [] });
  });

  const BAD: [body: unknown, field: string][] = [
    [{}, "body"],
    [undefined, "body"],
    [Array.from({ length: 11 }, (_, i) => [i, "GET", "/stats"]), "body"],
    [[[1, "GET"]], "0"],
    [[[1, "GET", "/stats", {}, 1]], "0"],
    [[[1.5, "GET", "/stats"]], "0"],
    [
      [
        [1, "GET", "/stats"],
        [2, 3, "/stats"],
      ],
      "1",
    ],
    ["[", "body"],
  ];
  it.each(BAD)("of the form %j is 400 as a whole", async (body, field) => {
    const { status, json } = await batch(body);
    expect([status, Object.keys(json.reasons)]).toEqual([400, [field]]);
  });

  it("needs the rights of a back end, and hands them on", async () => {
    const requests = [[1, "GET", "/stats"]];
    expect((await batch(requests, { authorization: "Bearer x" })).status).toBe(401);
    const token = await gateway.token({ tokenType: "app" });
    const { json } = await batch(requests, { authorization: `Bearer ${token}` });
    expect(json[0][1]).toBe(200);
    expect((await batch(requests, { "content-type": "text/plain" })).status).toBe(415);
  });

  it("leaves out an answer that is too long beside the others", async () => {
    const custom = { text: "x".repeat(500) };
    for (let i = 0; i < 200; i++) await gateway.http("PUT", `${V1}/users/user-${i}/sessions/k`, { custom });
    const { json } = await batch([
      [1, "POST", "/presences", { userIds: ["user-1"] }],
      [2, "POST", "/presences"],
      [3, "POST", "/presences/count"],
    ]);
    expect(json.map(([, status]: [number, number]) => status)).toEqual([200, 413, 200]);
    expect(json[1][2]).toMatchObject({ errorCode: "PAYLOAD_TOO_LARGE" });
    expect(json[2][2]).toEqual({ data: { users: 200 } });
  });
});

it.each(TRANSPORTS)("a batch counts like its requests for the rate limit, over %s", async (transport) => {
  // The clock stands still: ten requests at once, and no more.
  const env = { HTTP_REQUESTS_PER_SECOND: "5" };
  const gateway = await TestGateway.start(transport, { env, clock: new HandClock() });
  try {
    const batch = (requests: number) =>
      gateway.http(
        "POST",
        `${V1}/batch`,
        Array.from({ length: requests }, (_, i) => [i, "GET", "/stats"]),
      );
    const statuses = async (requests: number) =>
      (await batch(requests)).json.map(([, status]: [number, number]) => status);
    expect(await statuses(7)).toEqual(Array(7).fill(200));
    expect(await statuses(5)).toEqual([200, 200, 200, 429, 429]);
    const refused = await batch(1);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "1"]);
  } finally {
    await gateway.stop();
  }
});
