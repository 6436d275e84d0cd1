import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { mintToken } from "../../src/server/auth/mint.ts";
import { CliHost } from "../support/cli-host.ts";
import { TestGateway } from "../support/gateway.ts";
import { ProviderKey } from "../support/identity-provider.ts";
import { GatewayProcess, runCli } from "../support/process.ts";
import { sendRaw } from "../support/raw.ts";
import { TRANSPORTS } from "../support/transports.ts";

// Every secret or private input contains a unique text. The tests search all output for these texts.

const MARK = `canary${randomBytes(6).toString("hex")}`;
const SECRET = `${MARK}-secret-that-is-long-enough-for-anybody`;
const OTHER_SECRET = `${MARK}-secret-of-the-other-app-long-enough`;
const METRICS_TOKEN = `${MARK}-metrics-token`;
/** Data of users. Subscribers with the right grants receive it, and no log contains it. */
const PRIVATE = `${MARK}-private`;
const WEBHOOK_SECRET = `whsec_${Buffer.from(`${MARK} is a secret of a webhook`).toString("base64")}`;
/** Nobody listens there, so that the log says that it fails. */
const WEBHOOK_URL = `http://127.0.0.1:9/${MARK}?key=${MARK}`;
const WEBHOOK = { id: "hook", url: WEBHOOK_URL, secrets: [WEBHOOK_SECRET] };
/** The address of a provider's keys may have a key of its own. Nothing listens there. */
const JWKS_URL = `http://127.0.0.1:9/${MARK}-path/jwks?apikey=${MARK}-api-key`;
const provider = new ProviderKey("EdDSA", "k1");
const APPS = JSON.stringify([
  {
    id: "app",
    secrets: [SECRET],
    keys: [{ publicKey: provider.pem, kid: "k1" }],
    issuer: `https://${MARK}.example/`,
    audience: `${MARK}-audience`,
    webhooks: [WEBHOOK],
  },
  { id: "provided", secrets: [OTHER_SECRET], jwksUrl: JWKS_URL },
  { id: "other", secrets: [OTHER_SECRET], allowedOrigins: ["https://app.example.com"], requireExp: true },
]);

const app = (exp?: number) => mintToken("app", SECRET, { tokenType: "app" }, exp);
const alice = () => mintToken("app", SECRET, { tokenType: "user", sub: "alice", read: "all" });

/** A refused token with private claims. No output may repeat any part of it. */
const BAD_TOKENS: readonly (() => Promise<string>)[] = [
  () => mintToken("app", OTHER_SECRET, { tokenType: "user", sub: PRIVATE }),
  () => mintToken("other", SECRET, { tokenType: "user", sub: PRIVATE }),
  () => mintToken("app", SECRET, { tokenType: "user", sub: `${PRIVATE}\n` }),
  () => mintToken("app", SECRET, { tokenType: PRIVATE as "app" }),
  () => mintToken("app", SECRET, { tokenType: "user", sub: PRIVATE, read: PRIVATE as "all" }),
  () => app(1),
  async () => PRIVATE,
  async () => `${PRIVATE}.${PRIVATE}.${PRIVATE}`,
  async () => `${(await app()).slice(0, -3)}.${PRIVATE}`,
  async () => provider.token({ payload: { iss: "app", sub: PRIVATE } }),
  async () => provider.token({ header: { alg: "EdDSA", kid: PRIVATE }, payload: { sub: PRIVATE } }),
  async () => provider.token({ payload: { iss: `https://${MARK}.example/`, aud: PRIVATE, sub: "alice" } }),
];

/** Returns the forbidden parts of `text`: the mark, and parts of these tokens. */
function expectNone(text: string, tokens: readonly string[], where: string): void {
  expect(text.includes(MARK) ? text : "", where).toBe("");
  expect(text.includes(WEBHOOK_SECRET.slice(6, 40)) ? text : "", where).toBe("");
  for (const token of tokens) {
    // The header is the same in every token, so it is not secret.
    for (const part of token.split(".").slice(1)) {
      if (part.length > 8) expect(text.includes(part) ? text : "", where).toBe("");
    }
  }
}

describe.each(TRANSPORTS)("canaries over %s", (TRANSPORT) => {
  let run: GatewayProcess;
  let port: number;
  const tokens: string[] = [];
  const answers: string[] = [];

  beforeAll(async () => {
    run = new GatewayProcess({
      APPS,
      METRICS_TOKEN,
      TRANSPORT,
      HOST: "127.0.0.1",
      LOG_LEVEL: "trace",
      RESUME_WINDOW_MS: "100",
      DRAIN_MS: "0",
    });
    port = await run.port();
    for (const make of BAD_TOKENS) tokens.push(await make());
    tokens.push(await app(), await alice());
  });
  afterAll(() => run.stop("SIGKILL"));

  async function ask(method: string, path: string, headers: Record<string, string>, body?: string) {
    const type = body === undefined ? {} : { "content-type": "application/json" };
    const init = { method, headers: { ...type, ...headers }, ...(body !== undefined && { body }) };
    const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
    answers.push(JSON.stringify([...response.headers]) + (await response.text()));
    return response.status;
  }

  /** Sends messages over a socket. Collects what comes until all is answered or the socket is closed. */
  async function tell(messages: readonly string[], path = "/v1/app/realtime", headers = {}): Promise<void> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, ["presence.v1"], { headers });
    socket.on("message", (data) => answers.push(String(data)));
    socket.on("unexpected-response", (_request, response) => {
      response.on("data", (data) => answers.push(String(data)));
      response.on("end", () => socket.terminate());
    });
    socket.on("error", () => {});
    socket.on("open", () => {
      for (const message of messages) socket.send(message);
      // The gateway answers this after everything else. A socket that is closed earlier needs no wait.
      socket.send(JSON.stringify({ type: "ping" }));
    });
    socket.on("message", (data) => {
      if (JSON.parse(String(data)).type === "pong") socket.close();
    });
    await new Promise<void>((resolve) => {
      socket.on("close", (_code, reason) => {
        answers.push(String(reason));
        resolve();
      });
    });
  }

  it("enter by every interface", async () => {
    for (const token of [...tokens, SECRET, OTHER_SECRET, METRICS_TOKEN]) {
      await tell([JSON.stringify({ type: "connect", token })], "/v1/other/realtime");
      const authorization = `Bearer ${token.trim()}`;
      if (!/[^ -~]/.test(authorization)) {
        expect(await ask("GET", "/v1/nowhere/stats", { authorization })).toBe(404);
        await ask("POST", "/v1/other/presences", { authorization }, `{"userIds":["${PRIVATE}"`);
        await ask("GET", "/metrics", { authorization: authorization.replace("Bearer", "Basic") });
      }
    }
    for (const token of tokens.slice(0, BAD_TOKENS.length)) {
      await tell([JSON.stringify({ type: "connect", token })]);
      await tell([JSON.stringify({ type: "connect", token })], "/v1/provided/realtime");
      const good = JSON.stringify({ type: "connect", token: await alice() });
      await tell([good, JSON.stringify({ type: "refresh", id: 1, token })]);
      await tell([good, `{"type":"refresh","token":"${token}"`]);
      await tell([
        good,
        JSON.stringify({ type: "refresh", token: [token] }),
        JSON.stringify({ type: token }),
      ]);
      await tell([JSON.stringify({ type: "query", id: 1, filter: {}, token })]);
      expect(await ask("GET", "/v1/app/stats", { authorization: `Bearer ${token}` })).toBe(401);
      await ask("GET", `/v1/app/stats?token=${token}&access_token=${SECRET}`, { cookie: `token=${token}` });
      await ask("GET", `/metrics?token=${METRICS_TOKEN}`, { authorization: `Bearer ${token}` });
      await tell([], `/v1/app/realtime?token=${token}`, { authorization: `Bearer ${SECRET}`, cookie: token });
      await tell([], `/v1/other/realtime?token=${token}`, { origin: `https://${MARK}.example` });
    }
    const authorization = `Bearer ${SECRET}`;
    await tell([
      JSON.stringify({ type: "connect", token: await alice() }),
      JSON.stringify({ type: "open", kind: "widget", custom: { mood: PRIVATE, [PRIVATE]: "x" } }),
      JSON.stringify({ type: "update", id: 1, custom: [PRIVATE], [PRIVATE]: PRIVATE }),
      JSON.stringify({ type: "update", id: 2, custom: { [PRIVATE.repeat(9)]: PRIVATE } }),
      JSON.stringify({ type: "update", id: 3, sessionId: PRIVATE, hasFocus: PRIVATE }),
      JSON.stringify({ type: "open", kind: PRIVATE, userId: PRIVATE }),
      JSON.stringify({ type: "open", kind: "widget", userId: PRIVATE }),
      JSON.stringify({ type: "unsubscribe", id: 4, view: PRIVATE }),
      JSON.stringify({
        type: "query",
        id: 5,
        filter: { userIds: PRIVATE, selectedConversationId: [PRIVATE] },
      }),
    ]);
    for (const body of [
      `{"userIds":["${PRIVATE}"`,
      `{"userIds":"${PRIVATE}"}`,
      `{"hasFocus":"${PRIVATE}"}`,
      PRIVATE,
    ]) {
      expect(await ask("POST", "/v1/app/presences", { authorization }, body)).toBe(400);
      const filter = encodeURIComponent(body);
      expect(await ask("GET", `/v1/app/presences/stream?filter=${filter}`, { authorization })).toBe(400);
    }
    const content = { authorization, "content-type": `text/${PRIVATE}` };
    expect(await ask("POST", "/v1/app/presences", content, "{}")).toBe(415);
    await ask("PUT", `/v1/${MARK}/${SECRET}?${SECRET}`, { authorization, referer: SECRET });
    await ask("GET", `/v1/app/users/${MARK}%00/sessions`, { authorization });
    await ask("DELETE", `/v1/app/users/${MARK}/sessions`, { authorization });
    for (const path of [
      "/v1/app/stats",
      "/v1/app/node",
      "/healthz",
      "/readyz",
      "/openapi.json",
      "/dashboard/",
    ])
      await ask("GET", path, { authorization });
    expect(await ask("GET", "/metrics", { authorization: `Bearer ${METRICS_TOKEN}` })).toBe(200);
    for (const head of [
      `GET /v1/app/stats HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${SECRET}\r\nbroken header\r\n\r\n`,
      `POST /v1/app/presences HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${SECRET}\r\nTransfer-Encoding: chunked\r\n\r\n${PRIVATE}`,
      `GET /${SECRET} HTTP/9.9\r\nHost: x\r\n\r\n`,
      `GET /v1/app/realtime HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${SECRET}\r\n\r\n`,
      `TRACE /v1/app/stats HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${SECRET}\r\n\r\n`,
    ]) {
      answers.push(await sendRaw(port, head));
    }
    expect(answers.length).toBeGreaterThan(150);
  });

  it("are in no output", async () => {
    expect(await run.stop()).toBe(0);
    expectNone(run.output, tokens, "the log");
    expect(run.errors).toBe("");
    for (const line of run.output.trim().split("\n")) expect(JSON.parse(line)).toHaveProperty("msg");
    for (const answer of answers) expectNone(answer, tokens, "an answer");
    expect(run.output).toContain('"refusal":"unauthenticated"');
    expect(run.output).toContain("a webhook was not delivered");
    process.stdout.write(
      `canaries over ${TRANSPORT}: ${answers.length} answers, ${run.output.length} characters of log, none found\n`,
    );
  });

  it("are not in the log of a crash", async () => {
    const gateway = await TestGateway.start(TRANSPORT);
    const broken = () => {
      throw new Error("a defect");
    };
    Object.assign(gateway.presence().table, { open: broken, counts: broken });
    const client = await gateway.connect("alice");
    client.send({ type: "open", kind: "widget", custom: { mood: PRIVATE } });
    expect((await client.closed).code).toBe(1011);
    const answer = await gateway
      .http("GET", `/v1/test-app/stats?x=${PRIVATE}`, undefined, { cookie: PRIVATE })
      .catch(() => ({ text: "" }));
    gateway.gateway.crashed(Object.assign(new Error("another defect"), { code: "X" }));
    const log = gateway.log.join("");
    // Two of the crashes are of the same kind, so the log may omit one.
    expect(log.match(/a handler crashed/g)!.length).toBeGreaterThanOrEqual(2);
    expectNone(log + answer.text + JSON.stringify(client.inbox), [], "the log of a crash");
    await gateway.stop();
  });
});

describe("canaries on the command line and in the environment", () => {
  const quoted = JSON.stringify(SECRET);
  const appsWith = (webhook: object) =>
    JSON.stringify([{ id: "app", secrets: [SECRET], webhooks: [webhook] }]);
  const host = new CliHost();
  afterAll(() => host.stop());

  it.each<[string, readonly string[], Record<string, string>]>([
    ["APPS that are truncated", [], { APPS: `[{"id":"app","secrets":[${quoted}` }],
    ["APPS with a misspelled field", [], { APPS: `[{"id":"app","secret":${quoted}}]` }],
    ["secrets that are a map", [], { APPS: `[{"id":"app","secrets":{"a":${quoted}}}]` }],
    ["a webhook with a misspelled field", [], { APPS: appsWith({ ...WEBHOOK, filtre: {} }) }],
    ["a webhook with a bad secret", [], { APPS: appsWith({ ...WEBHOOK, secrets: [`${WEBHOOK_SECRET}x`] }) }],
    ["a webhook with a bad URL", [], { APPS: appsWith({ ...WEBHOOK, url: `ftp://u:${MARK}@example.com/` }) }],
    ["the secret in place of APPS", [], { APPS: SECRET }],
    ["APPS in place of APPS_FILE", [], { APPS_FILE: APPS }],
    ["APPS and a bad PORT", [], { APPS, METRICS_TOKEN, PORT: "x" }],
    ["an option of serve", ["serve", `--secret=${SECRET}`], {}],
    ["an unknown option", ["query", `--secrte=${SECRET}`], {}],
    ["a secret without an app", ["query"], { APP_SECRET: SECRET }],
    [
      "a gateway that does not exist",
      ["query", "--url", "http://127.0.0.1:1", "-a", "app", "-s", SECRET],
      {},
    ],
    [
      "an address with a password",
      ["query", "--url", `http://u:${SECRET}@127.0.0.1:1`, "-a", "app", "-s", SECRET],
      {},
    ],
    ["an address that is not valid", ["watch", "--url", `no:${SECRET}`, "-a", "app", "-s", SECRET], {}],
    ["a bad duration", ["token", "app", "-a", "app", "--expires", "soon"], { APP_SECRET: SECRET }],
    [
      "a token for an address without a gateway",
      ["query", "--url", "http://127.0.0.1:1", "-a", "app", "-t", SECRET],
      {},
    ],
    ["help", ["query", "--help"], { APP_SECRET: SECRET, APP_TOKEN: SECRET, APP_ID: "app" }],
  ])("%s", async (_name, args, env) => {
    const { code, output, errors } = await host.run(args, env);
    expect([0, 1, 2]).toContain(code);
    if (code !== 0) expect(errors).toMatch(/^presence-gateway: [^\n]+\n$/);
    expectNone(output + errors, [], "what is printed");
  });

  it.each<[string, Record<string, string>]>([
    ["APPS that are truncated", { APPS: `[{"id":"app","secrets":[${quoted}` }],
    ["an address of another machine", { APPS, METRICS_TOKEN, HOST: "192.0.2.1", TRANSPORT: "ws" }],
  ])("%s, in a process of its own", async (_name, env) => {
    const { code, output, errors } = await runCli([], env);
    expect(code).toBe(1);
    expect(errors).toMatch(/^presence-gateway: [^\n]+\n$/);
    expectNone(output + errors, [], "what is printed");
  });

  it("a token contains its claims, but not the secret", async () => {
    const { code, output } = await runCli(["token", "app", "-a", "app"], { APP_SECRET: SECRET });
    expect(code).toBe(0);
    expect(output).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    const said = output.split(".").map((part) => Buffer.from(part, "base64url").toString("latin1"));
    expectNone(output + said.join(), [], "the token");
  });
});
