import assert from "node:assert/strict";
import type { BodySink } from "../../../src/server/gateway/body-sink.ts";
import type { HttpResponse, RequestHeaders } from "../../../src/server/http/exchange.ts";
import { nodeRoutes } from "../../../src/server/http/node-routes.ts";
import { createRouter } from "../../../src/server/http/router.ts";
import { INDEXED } from "../../model/arbitraries.ts";
import { testRoutes } from "../../support/app-routes.ts";
import { askRouter, UNLIMITED } from "../../support/http-handler.ts";
import type { Random } from "../../support/random.ts";
import type { Outcome, Target } from "../fuzz.ts";
import { mutateText, nearTo } from "../mutate.ts";
import { isCovered, isFilter } from "../rules.ts";
import { FILTERS, WORDS } from "../samples.ts";
import { parse } from "./protocol.ts";
import { APP_ID, SECRET, World } from "./world.ts";

const world = new World(
  {
    HTTP_REQUESTS_PER_SECOND: "10000000",
    MAX_CONNECTS_PER_SECOND: "1000000",
  },
  { indexedCustom: INDEXED },
);
const { presence } = world;
for (const [i, userId] of ["alice", "bob", "__proto__"].entries()) {
  const connection = { onSessionTaken: () => {} };
  const patch = { selectedConversationId: "c1", hasFocus: i === 0, custom: { mood: "calm" } };
  presence.transact(0, (sessions) =>
    sessions.open(userId, i === 1 ? "background" : "widget", patch, connection),
  );
}

const handle = createRouter(
  [
    ...testRoutes({ node: world.node }),
    ...nodeRoutes({
      node: world.node,
      anonymous: UNLIMITED,
      isProxy: () => false,
      isReady: () => true,
      renderMetrics: async () => ({ contentType: "text/plain", text: "" }),
      metricsToken: undefined,
      version: "1.0.0",
      dashboard: [],
      isDevelopment: false,
    }),
  ],
  UNLIMITED,
);

const HEADERS: readonly (keyof RequestHeaders)[] = [
  "accept-encoding",
  "authorization",
  "content-type",
  "last-event-id",
  "host",
  "x-forwarded-for",
];

const SINK: BodySink = {
  buffered: 0,
  progress: 0,
  send: () => true,
  end: () => {},
  terminate: () => {},
};

interface Request {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: RequestHeaders;
  readonly body: string;
}

/** The response to a request as a transport receives it, including streams. */
async function ask(request: Request): Promise<HttpResponse> {
  world.time += 1_000;
  const body = Buffer.from(request.body);
  const answer = await askRouter(handle, { ...request, address: () => "127.0.0.1", body });
  if (typeof answer.body === "function") answer.body(SINK).onClose();
  return answer;
}

function checkAnswer({ status, headers, body }: HttpResponse): void {
  assert([200, 308, 400, 401, 404, 405, 415, 426, 429].includes(status), `status ${status}`);
  assert.equal(headers["x-content-type-options"], "nosniff");
  for (const [name, value] of Object.entries(headers)) assert.match(`${name}: ${value}`, /^[\t -~]+$/);
  if (status < 400) return;
  const { errorCode, reasons } = JSON.parse(body as string);
  assert.match(errorCode, /^[A-Z_]+$/);
  assert((body as string).length < 6_000, body as string);
  assert(Object.keys(reasons).length > 0);
  assert.doesNotMatch(body as string, /node_modules|\.ts\b|\.js\b|\bat \S+:\d+/);
}

const AUTHORIZED: RequestHeaders = {
  "accept-encoding": undefined,
  authorization: `Bearer ${SECRET}`,
  "content-encoding": undefined,
  "content-type": "application/json",
  "last-event-id": undefined,
  host: undefined,
  "x-forwarded-for": undefined,
};

/** A filter in a body and in a query string. Both mean the same, and a query changes nothing. */
export const filter: Target = {
  name: "filter",
  inputs: 10_000,
  make: nearTo(FILTERS, WORDS),
  async check(input): Promise<Outcome> {
    const before = world.state();
    const body = await ask({
      method: "POST",
      path: `/v1/${APP_ID}/presences`,
      query: "",
      headers: AUTHORIZED,
      body: input,
    });
    // Bytes cannot hold half a surrogate pair, so another text arrives.
    const text = Buffer.from(input).toString();
    const query = await ask({
      method: "GET",
      path: `/v1/${APP_ID}/presences/stream`,
      query: `filter=${encodeURIComponent(text)}`,
      headers: AUTHORIZED,
      body: "",
    });
    assert.equal(world.state(), before);
    checkAnswer(body);
    checkAnswer(query);
    const json = parse(text);
    const isGood = json !== undefined && isFilter(json.value) && isCovered(json.value, INDEXED);
    const expected = text === "" || isGood ? 200 : 400;
    assert.deepEqual([body.status, query.status], [expected, expected]);
    return expected === 200 ? "taken" : "refused";
  },
};

const PATHS = [
  "/v1/test-app/presences",
  "/v1/test-app/presences/stream",
  "/v1/test-app/users/alice/sessions",
  "/v1/test-app/users/%F0%9F%91%A9/sessions",
  "/v1/test-app/users/alice/sessions/key",
  "/v1/test-app/users/sessions",
  "/v1/test-app/users/alice/status",
  "/v1/test-app/users/alice",
  "/v1/test-app/presences/count",
  "/v1/test-app/presences/check",
  "/v1/test-app/last-seen",
  "/v1/test-app/batch",
  "/v1/test-app/stats",
  "/v1/test-app/node",
  "/v1/test-app/realtime",
  "/healthz",
  "/readyz",
  "/metrics",
  "/openapi.json",
  "/dashboard/",
  "/dashboard",
];
const METHODS = [
  "GET",
  "POST",
  "HEAD",
  "PUT",
  "DELETE",
  "OPTIONS",
  "PATCH",
  "TRACE",
  "get",
  "PROPFIND",
  "__proto__",
];
const VALUES: Record<keyof RequestHeaders, readonly string[]> = {
  "accept-encoding": ["br, gzip", "gzip;q=0", "*"],
  authorization: [`Bearer ${SECRET}`, `bearer ${SECRET}`, "Bearer a.b.c", "Basic x", ""],
  "content-encoding": ["identity", "gzip"],
  "content-type": ["application/json", "application/json; charset=utf-8", "text/plain", "application/x+json"],
  "last-event-id": ["id-1:1", "id-1:999999999999999", ":", "a:-1"],
  host: ["localhost", "evil.example", "[::1]:80", "127.0.0.1:8080"],
  "x-forwarded-for": ["127.0.0.1", "1.2.3.4, 5.6.7.8"],
};
const near = nearTo(FILTERS, WORDS);
/** Bodies of the other routes. */
const nearOthers = nearTo(
  [
    { userIds: ["alice", "bob"], filter: { hasFocus: true, custom: { mood: "calm" } } },
    { userIds: [] },
    { availability: "busy", text: "in a call", emoji: null, expiresInMs: 1_000 },
    { kind: "widget", isTyping: true, isIdle: false, custom: { a: null }, ttlMs: 1_000 },
    [
      [1, "GET", "/stats"],
      ["two", "POST", "/presences/count", { isTyping: true }],
      [3, "GET", "/users/alice/status"],
    ],
  ],
  WORDS,
);

/** A request as text: its line, its headers, an empty line, its body. */
function make(random: Random): string {
  const method = random.oneIn(2) ? "GET" : random.pick(METHODS);
  let path = random.pick(PATHS);
  for (let n = random.below(3); n > 0; n--) path = mutateText(random, path);
  let query = random.oneIn(2) ? `filter=${encodeURIComponent(near(random).toWellFormed())}` : "";
  if (random.oneIn(3)) query = mutateText(random, query);
  const lines = [`${method} ${path.replaceAll(/[\n?]/g, "")}?${query.replaceAll("\n", "")}`];
  for (const name of HEADERS) {
    if (name !== "authorization" && random.oneIn(2)) continue;
    const value = random.pick(VALUES[name]);
    lines.push(`${name}: ${random.oneIn(4) ? mutateText(random, value).replaceAll("\n", "") : value}`);
  }
  return `${lines.join("\n")}\n\n${random.oneIn(2) ? random.pick([near, nearOthers])(random) : ""}`;
}

/** A complete request, as far as the transports accept it. Only what is there to change something may. */
export const http: Target = {
  name: "http",
  inputs: 50_000,
  make,
  async check(input): Promise<Outcome> {
    const [head = "", ...body] = input.split("\n\n");
    const [line = "", ...lines] = head.split("\n");
    const [method = "", url = ""] = line.split(" ", 2);
    const mark = url.indexOf("?");
    const fields = new Map(lines.map((each) => [each.split(":", 1)[0], each.slice(each.indexOf(":") + 2)]));
    const request: Request = {
      method,
      path: mark === -1 ? url : url.slice(0, mark),
      query: mark === -1 ? "" : url.slice(mark + 1),
      headers: Object.fromEntries(
        HEADERS.map((name) => [name, fields.get(name)]),
      ) as unknown as RequestHeaders,
      body: body.join("\n\n"),
    };
    const before = world.state();
    const answer = await ask(request);
    checkAnswer(answer);
    const mayChange = method === "DELETE" || method === "PUT" || request.path.endsWith("/batch");
    if (mayChange && answer.status === 200) return "taken";
    assert.equal(world.state(), before);
    return answer.status < 400 ? "taken" : "refused";
  },
};
