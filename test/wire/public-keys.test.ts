import { setImmediate as nextTurn } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { PUBLIC_KEY_ALGORITHMS, type PublicKeyAlgorithm } from "../../src/server/auth/public-key.ts";
import { BURST_CHECKS } from "../../src/server/gateway/admission.ts";
import { KEY_WAIT_MS } from "../../src/server/gateway/held-messages.ts";
import type { TestClient } from "../support/client.ts";
import { forge } from "../support/forge.ts";
import { APP, TestGateway } from "../support/gateway.ts";
import { HandClock } from "../support/hand-clock.ts";
import { jwksOf, ProviderKey } from "../support/identity-provider.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { until } from "../support/until.ts";

const KEYS = Object.fromEntries(
  PUBLIC_KEY_ALGORITHMS.map((alg) => [alg, new ProviderKey(alg, alg)]),
) as Record<PublicKeyAlgorithm, ProviderKey>;
const ISSUER = "https://issuer.example/";
const claims = (sub: string) => ({ iss: ISSUER, sub });
const JWKS_APP = "jwks-app";
const JWKS_SECRET = "a secret of the app whose users come from elsewhere";
const JWKS_MS = 30_000;

async function connect(gateway: TestGateway, token: string, appId = APP): Promise<TestClient> {
  const client = await gateway.socket({ appId });
  client.send({ type: "connect", id: 1, token });
  return client;
}

describe.each(TRANSPORTS)("tokens of an identity provider over %s", (transport) => {
  let gateway: TestGateway;
  beforeAll(async () => {
    const keys = Object.values(KEYS).map(({ pem, kid }) => ({ publicKey: pem, kid: kid! }));
    // Time stands still, so that no budget is refilled.
    gateway = await TestGateway.start(transport, { clock: new HandClock(), app: { keys, issuer: ISSUER } });
  });
  afterAll(() => gateway.stop());

  it.each(PUBLIC_KEY_ALGORITHMS)("signed by %s connect their user, with what it may see", async (alg) => {
    const token = KEYS[alg].token({ payload: { ...claims(`u-${alg}`), read: { userIds: ["bob"] } } });
    for (let i = 0; i < 2; i++) {
      const client = await connect(gateway, token);
      expect(await client.next("connected")).toMatchObject({ id: 1, userId: `u-${alg}` });
      await client.open({});
      expect(await client.ask({ type: "query", filter: { userIds: ["bob"] } })).toMatchObject({ data: {} });
      expect(await client.ask({ type: "query", filter: {} })).toMatchObject({ code: "FORBIDDEN" });
      expect(await client.ask({ type: "open", kind: "widget", userId: "eve" })).toMatchObject({
        type: "error",
      });
    }
  });

  it("are not for HTTP", async () => {
    for (const payload of [claims("alice"), { ...claims("alice"), tokenType: "app" }]) {
      const authorization = `Bearer ${KEYS.ES256.token({ payload })}`;
      const { status, json } = await gateway.http("POST", `/v1/${APP}/presences`, {}, { authorization });
      expect([status, json.errorCode]).toEqual([401, "UNAUTHORIZED"]);
      expect(json.reasons.authorization[0]).toMatch(/^a user token is for WebSockets only/);
    }
  });

  it.each([
    ["of another key", () => new ProviderKey("ES256", "ES256").token({ payload: claims("alice") })],
    ["for an app", () => KEYS.ES256.token({ payload: { ...claims("alice"), tokenType: "app" } })],
    ["of another issuer", () => KEYS.ES256.token({ payload: { iss: APP, sub: "alice" } })],
    ["that is an HMAC with the key", () => forge({ key: KEYS.RS256.pem })],
  ])("%s are refused", async (_what, make) => {
    const client = await connect(gateway, make());
    expect(await client.next("error")).toMatchObject({ id: 1, code: "UNAUTHENTICATED" });
    expect((await client.closed).code).toBe(4401);
  });

  it("with wrong signatures are not even checked when there are too many from an address", async () => {
    const wrong = KEYS.RS256.token({ payload: claims("alice") })
      .slice(0, -8)
      .concat("AAAAAAAA");
    const known = KEYS.RS256.token({ payload: claims("known") });
    await (await connect(gateway, known)).next("connected");
    const codes = new Set<number>();
    for (let i = 0; i <= BURST_CHECKS; i += 20) {
      const clients = await Promise.all(Array.from({ length: 20 }, () => connect(gateway, wrong)));
      for (const client of clients) codes.add((await client.closed).code);
    }
    expect([...codes].sort()).toEqual([1013, 4401]);
    // A token that is known costs no check, nor does one that is signed with a secret.
    await (await connect(gateway, known)).next("connected");
    await gateway.connect("hmac");
  });
});

describe.each(TRANSPORTS)("the keys of an identity provider over %s", (transport) => {
  let clock: HandClock;
  let gateway: TestGateway;
  let fetches = 0;
  let answer: (text: string | Error) => Promise<void>;

  beforeEach(async () => {
    clock = new HandClock();
    fetches = 0;
    gateway = await TestGateway.start(transport, {
      clock,
      apps: [
        { id: JWKS_APP, secrets: [JWKS_SECRET], jwksUrl: "https://issuer.example/jwks", issuer: ISSUER },
      ],
      fetchText: () => {
        fetches++;
        return new Promise((resolve, reject) => {
          answer = (text) => {
            if (typeof text === "string") resolve(text);
            else reject(text);
            return nextTurn();
          };
        });
      },
    });
    return () => gateway.stop();
  });

  const one = KEYS.EdDSA;
  const two = new ProviderKey("EdDSA", "two");
  const token = (key: ProviderKey, sub = "alice", more: object = {}) =>
    key.token({ payload: { ...claims(sub), iat: Math.floor(clock.wallNow() / 1000), ...more } });
  const join = (text: string) => connect(gateway, text, JWKS_APP);
  /** A client whose `connect` the gateway has read. */
  const hold = async (text: string) => {
    const { messages } = gateway.node.telemetry;
    const before = messages.connect;
    const client = await join(text);
    await until(() => messages.connect > before);
    return client;
  };

  it("are awaited by those who need them, whose messages are done in their order, and by nobody else", async () => {
    const client = await hold(token(one));
    client.send({ type: "open", id: 2, kind: "widget", custom: { a: "1" } });
    client.send({ type: "query", id: 3, filter: { userIds: ["alice"] } });
    client.send({ type: "ping", id: 4 });
    const own = await gateway.token({ tokenType: "user", sub: "bob" }, undefined, JWKS_APP, JWKS_SECRET);
    await (await join(own)).next("connected");
    await gateway.connect("carol");
    expect(client.inbox).toEqual([]);
    await answer(jwksOf(one));
    await client.take(({ type }) => type === "pong").then((pong) => client.inbox.push(pong));
    expect(client.inbox.map(({ type, id }) => [type, id])).toEqual([
      ["connected", 1],
      ["opened", 2],
      ["result", 3],
      ["pong", 4],
    ]);
    expect(Object.keys(client.inbox[2].data)).toEqual(["alice"]);
  });

  it("that cannot be had are said to be so, and the client may come back", async () => {
    const client = await hold(token(one));
    client.send({ type: "open", id: 2, kind: "widget" });
    await answer(new Error("no route"));
    const error = await client.next("error");
    expect(error).toMatchObject({ id: 1, code: "UNAUTHENTICATED", retryAfterMs: JWKS_MS });
    expect(error.message).toMatch(/keys \(JWKS\).*cannot be had/);
    expect(await client.closed).toMatchObject({ code: 1013 });
    // Until the next fetch nobody waits.
    expect(await (await join(token(one))).closed).toMatchObject({ code: 1013 });
    const authorization = `Bearer ${token(one)}`;
    const { status, headers, json } = await gateway.http("GET", `/v1/${JWKS_APP}/stats`, undefined, {
      authorization,
    });
    expect([status, headers.get("retry-after"), json.errorCode]).toEqual([503, "30", "SERVICE_UNAVAILABLE"]);
    expect(fetches).toBe(1);
    clock.turn(gateway, JWKS_MS);
    const again = await hold(token(one));
    await until(() => fetches === 2);
    await answer(jwksOf(one));
    await again.next("connected");
    expect(gateway.log.filter((line) => line.includes("cannot fetch the keys"))).toHaveLength(1);
    expect(gateway.log.join()).not.toContain("issuer.example/jwks");
  });

  it("that do not come in time are as if they could not be had", async () => {
    const client = await hold(token(one));
    clock.turn(gateway, KEY_WAIT_MS - 50);
    client.send({ type: "ping", id: 2 });
    expect(client.inbox).toEqual([]);
    clock.turn(gateway, 50);
    expect(await client.next("error")).toMatchObject({ code: "UNAUTHENTICATED", id: 1 });
    expect(await client.closed).toMatchObject({ code: 1013 });
  });

  it("are fetched again for an unknown kid, at most once in 30 s, and stay if that fails", async () => {
    await answer(jwksOf(one));
    await (await join(token(one))).next("connected");
    for (let i = 0; i < 5; i++) {
      const refused = await join(two.token({ header: { alg: "EdDSA", kid: `${i}` }, payload: claims("x") }));
      expect(await refused.next("error")).toMatchObject({ message: expect.stringMatching(/kid is unknown/) });
      expect(await refused.closed).toMatchObject({ code: 1013 });
    }
    expect(fetches).toBe(1);
    clock.turn(gateway, JWKS_MS);
    const rotated = await hold(token(two));
    await until(() => fetches === 2);
    await answer(jwksOf(two, one));
    await rotated.next("connected");
    await (await join(token(one, "bob"))).next("connected");
    clock.turn(gateway, JWKS_MS);
    const unknown = await hold(new ProviderKey("EdDSA", "three").token({ payload: claims("x") }));
    await until(() => fetches === 3);
    await answer(jwksOf(two));
    // The set is new, so the answer is final.
    expect(await unknown.closed).toMatchObject({ code: 4401 });
    // A key that has vanished closes nobody, and lets nobody in.
    await rotated.settled();
    const old = token(one, "carol", { iat: clock.wallNow() / 1000 - 120 });
    expect(await (await join(old)).closed).toMatchObject({ code: 4401 });
    const known = token(one, "bob");
    expect(await (await join(known)).closed).toMatchObject({ code: 1013 });
  });

  it("are awaited by a refresh too, and what follows it", async () => {
    await answer(jwksOf(one));
    const client = await join(token(one));
    await client.next("connected");
    clock.turn(gateway, JWKS_MS);
    const fresh = token(two, "alice", { read: "all" });
    client.send({ type: "refresh", id: 2, token: fresh });
    client.send({ type: "query", id: 3, filter: {} });
    await until(() => fetches === 2);
    await answer(jwksOf(one, two));
    await client.take(({ id }) => id === 3).then((result) => client.inbox.push(result));
    expect(client.inbox.map(({ type, id }) => [type, id])).toEqual([
      ["ok", 2],
      ["result", 3],
    ]);
  });

  it("are not waited for by a client that has gone", async () => {
    const client = await hold(token(one));
    client.terminate();
    await until(() => gateway.presence(JWKS_APP).sockets === 0);
    await answer(jwksOf(one));
    await (await join(token(one))).next("connected");
    const metrics = (await gateway.http("GET", "/metrics")).text;
    expect(metrics).toContain("\npresence_jwks_fetches_total 1\n");
    expect(metrics).toContain("\npresence_jwks_failures_total 0\n");
  });
});
