import { request as httpRequest } from "node:http";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import type { AppConfig } from "../../src/server/auth/app.ts";
import { mintToken } from "../../src/server/auth/mint.ts";
import { parseApps } from "../../src/server/settings/parse-apps.ts";
import type { TestClient } from "../support/client.ts";
import { readEvents } from "../support/events.ts";
import { APP, SECRET, TestGateway } from "../support/gateway.ts";
import { HandClock } from "../support/hand-clock.ts";
import { ProviderKey } from "../support/identity-provider.ts";
import { settingsErrorOf } from "../support/settings-error.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { until } from "../support/until.ts";

const NEXT_SECRET = "the secret that the test app is moving to, long enough";
const OTHER = "other-app";
const OTHER_SECRET = "a secret of another app, just as long as it has to be";
const WINDOW_MS = 15_000;
const key = new ProviderKey("EdDSA", "k1");
const nextKey = new ProviderKey("EdDSA", "k2");

const mine = (fields: Partial<AppConfig> = {}): AppConfig => ({ id: APP, secrets: [SECRET], ...fields });
const other = (fields: Partial<AppConfig> = {}): AppConfig => ({
  id: OTHER,
  secrets: [OTHER_SECRET],
  ...fields,
});

describe.each(TRANSPORTS)("a reload over %s", (transport) => {
  let clock: HandClock;
  let gateway: TestGateway;
  const runs: TestGateway[] = [];

  beforeEach(async () => {
    clock = new HandClock();
    gateway = await TestGateway.start(transport, {
      clock,
      env: { RESUME_WINDOW_MS: String(WINDOW_MS), DIFF_INTERVAL_MS: "0" },
      app: { keys: [{ publicKey: key.pem, kid: "k1" }] },
      apps: [other()],
    });
    runs.push(gateway);
  });
  afterAll(() => Promise.all(runs.map((run) => run.stop())));

  const keys = [{ publicKey: key.pem, kid: "k1" }];
  const reload = (...apps: AppConfig[]) => gateway.gateway.reload(parseApps(apps, "APPS_FILE"));
  const turn = (ms = 0) => clock.turn(gateway, ms);

  async function join(token: string, appId = APP): Promise<TestClient> {
    const client = await gateway.socket({ appId });
    client.send({ type: "connect", token });
    await client.next("connected");
    return client;
  }
  const ofUser = (sub: string, secret = SECRET, appId = APP) =>
    mintToken(appId, secret, { tokenType: "user", sub, read: "all" });
  const ofApp = (secret = SECRET, appId = APP) => mintToken(appId, secret, { tokenType: "app" });
  const status = async (credentials: string, appId = APP) =>
    (await gateway.http("GET", `/v1/${appId}/stats`, undefined, { authorization: `Bearer ${credentials}` }))
      .status;

  it("serves new apps at once, and nobody else notices", async () => {
    const alice = await join(await ofUser("alice"));
    await alice.open({});
    expect(await status("third secret", "third")).toBe(404);
    reload(mine({ keys }), other(), { id: "third", secrets: ["third secret"] });
    expect(await status("third secret", "third")).toBe(200);
    await (await join(await ofUser("bob", "third secret", "third"), "third")).open({});
    turn(5_000);
    await alice.settled();
    expect(alice.inbox).toEqual([]);
    expect(Object.keys(await gateway.query())).toEqual(["alice"]);
    expect(await status("third secret")).toBe(401);
  });

  it("closes what a removed secret had let in, and its sessions wait to be resumed", async () => {
    const before = [await join(await ofUser("alice")), await join(await ofApp())];
    const stream = await readEvents(gateway, {});
    const tokenStream = await readEvents(gateway, {}, { authorization: `Bearer ${await ofApp()}` });
    for (const each of [stream, tokenStream]) expect((await each.next()).event).toBe("snapshot");
    const sessionId = await before[0]!.open({ custom: { a: "1" } });
    for (const each of [stream, tokenStream]) expect((await each.next()).event).toBe("diff");
    const known = await ofApp();
    expect([await status(SECRET), await status(known)]).toEqual([200, 200]);

    reload(mine({ secrets: [NEXT_SECRET, SECRET], keys }), other());
    turn();
    const after = [
      await join(await ofUser("bob", NEXT_SECRET)),
      await join(key.token({ payload: { iss: APP, sub: "eve" } })),
    ];
    await before[0]!.settled();

    reload(mine({ secrets: [NEXT_SECRET], keys }), other());
    turn();
    for (const client of before) {
      expect(await client.next("error")).toMatchObject({ code: "UNAUTHENTICATED" });
      expect((await client.closed).code).toBe(4401);
    }
    for (const each of [stream, tokenStream]) await expect(each.next()).rejects.toThrow();
    // A token that was known is forgotten with its secret.
    expect([await status(SECRET), await status(known), await status(NEXT_SECRET)]).toEqual([401, 401, 200]);
    for (const client of after) await client.settled();
    const asked = await gateway.http(
      "POST",
      `/v1/${APP}/presences`,
      {},
      { authorization: `Bearer ${NEXT_SECRET}` },
    );
    expect(Object.keys(asked.json.data)).toEqual(["alice"]);
    turn(WINDOW_MS - 1_000);
    const back = await join(await ofUser("alice", NEXT_SECRET));
    expect(await back.ask({ type: "open", kind: "widget", sessionId })).toMatchObject({ resumed: true });
  });

  it("closes nobody who has refreshed with a token of the next secret, nor for the order of secrets", async () => {
    const alice = await join(await ofUser("alice"));
    reload(mine({ secrets: [SECRET, NEXT_SECRET], keys }), other());
    reload(mine({ secrets: [NEXT_SECRET, SECRET], keys }), other());
    expect(await alice.ask({ type: "refresh", token: await ofUser("alice", NEXT_SECRET) })).toMatchObject({
      type: "ok",
    });
    reload(mine({ secrets: [NEXT_SECRET], keys }), other());
    turn();
    await alice.settled();
    expect(alice.inbox).toEqual([]);
  });

  it("closes what a removed public key had let in, and nobody else", async () => {
    const old = key.token({ payload: { iss: APP, sub: "alice" } });
    const alice = await join(old);
    const bob = await join(await ofUser("bob"));
    reload(mine({ keys: [...keys, { publicKey: nextKey.jwk }] }), other());
    const carol = await join(nextKey.token({ payload: { iss: APP, sub: "carol" } }));
    // The same key in another form is the same key.
    reload(mine({ keys: [{ publicKey: nextKey.pem }, { publicKey: key.jwk }] }), other());
    turn();
    await alice.settled();
    reload(mine({ keys: [{ publicKey: nextKey.pem }] }), other());
    turn();
    expect((await alice.closed).code).toBe(4401);
    for (const client of [bob, carol]) await client.settled();
    const again = await gateway.socket();
    again.send({ type: "connect", token: old });
    expect((await again.closed).code).toBe(4401);
  });

  it("closes all of a removed app, whose sessions end", async () => {
    const own = await join(await ofUser("alice"));
    const clients = [
      await join(await ofUser("alice", OTHER_SECRET, OTHER), OTHER),
      await join(await ofApp(OTHER_SECRET, OTHER), OTHER),
    ];
    const silent = await gateway.socket({ appId: OTHER });
    await clients[0]!.open({});
    await clients[1]!.open({ userId: "bob" });
    const lost = await join(await ofUser("carol", OTHER_SECRET, OTHER), OTHER);
    await lost.open({});
    lost.terminate();
    const authorization = `Bearer ${OTHER_SECRET}`;
    await gateway.http("PUT", `/v1/${OTHER}/users/dave/sessions/k`, {}, { authorization });
    await gateway.http("PUT", `/v1/${OTHER}/users/dave/status`, { text: "x" }, { authorization });
    const presence = gateway.presence(OTHER);
    await until(() => presence.sockets === 3);
    expect(presence.table.counts().users).toBe(4);

    reload(mine({ keys }));
    turn();
    for (const client of [...clients, silent]) expect((await client.closed).code).toBe(4401);
    turn(1);
    turn(1);
    expect(presence.table.counts().sessions).toBe(0);
    expect(gateway.node.debugCounts().retiredApps).toBe(0);
    expect(await status(OTHER_SECRET, OTHER)).toBe(404);
    await own.settled();

    // It may come back, even with what cannot change while it runs.
    reload(mine({ keys }), other({ shards: 1, indexedCustom: ["team"] }));
    expect(await status(OTHER_SECRET, OTHER)).toBe(200);
    expect(
      (await gateway.http("GET", `/v1/${OTHER}/users/dave/status`, undefined, { authorization })).json.data,
    ).toEqual({
      availability: "available",
    });
  });

  it("changes what an app allows from now on", async () => {
    const lastSeen = () => gateway.http("POST", `/v1/${APP}/last-seen`, { userIds: ["alice"] });
    expect((await lastSeen()).status).toBe(404);
    reload(mine({ keys, lastSeen: true, userGrant: "all", requireExp: true }), other());
    expect((await lastSeen()).status).toBe(200);
    const client = await gateway.socket();
    client.send({ type: "connect", token: await ofUser("alice") });
    expect(await client.next("error")).toMatchObject({ message: expect.stringMatching(/no exp/) });
  });

  it.each<[string, AppConfig[], RegExp]>([
    ["shards", [mine({ keys, shards: 2 }), other()], /^shards of app "test-app" cannot change/],
    ["indexedCustom", [mine({ keys }), other({ indexedCustom: ["a"] })], /^indexedCustom of app "other-app"/],
  ])("that would change %s of a running app changes nothing", async (_field, apps, expected) => {
    const more = [
      { id: "third", secrets: ["third secret"] },
      ...apps.map((app) => ({ ...app, secrets: [NEXT_SECRET] })),
    ];
    expect(settingsErrorOf(() => reload(...more))).toMatch(expected);
    expect([await status("third secret", "third"), await status(SECRET), await status(NEXT_SECRET)]).toEqual([
      404, 200, 401,
    ]);
  });

  it("answers a body of an app that was removed while it came with 404", async () => {
    const request = httpRequest(`${gateway.url}/v1/${OTHER}/users/alice/sessions/k`, {
      method: "PUT",
      headers: {
        authorization: `Bearer ${OTHER_SECRET}`,
        "content-type": "application/json",
        "content-length": 2,
      },
    });
    const answered = new Promise<number>((resolve) =>
      request.on("response", ({ statusCode }) => resolve(statusCode!)),
    );
    request.write("{");
    await until(() => gateway.presence(OTHER).httpRate.waitMs(clock.now(), 2_000) > 0);
    const presence = gateway.presence(OTHER);
    reload(mine({ keys }));
    request.end("}");
    expect(await answered).toBe(404);
    expect(presence.table.counts().sessions).toBe(0);
  });
});
