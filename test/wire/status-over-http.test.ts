import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { APP, TestGateway } from "../support/gateway.ts";
import { TRANSPORTS } from "../support/transports.ts";

// The declared status of a user over HTTP, and what others see of it.

const V1 = `/v1/${APP}`;
const FORMS: [name: string, pathOf: (userId: string) => string][] = [
  ["in the path", (userId) => `${V1}/users/${encodeURIComponent(userId)}/status`],
  ["in the query", (userId) => `${V1}/users/status?userId=${encodeURIComponent(userId)}`],
];
const DEFAULT = { availability: "available" };

describe.each(TRANSPORTS)("a status over HTTP, over %s", (transport) => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await TestGateway.start(transport);
  });
  afterAll(() => gateway.stop());

  describe.each(FORMS)("with the user %s", (form, pathOf) => {
    it.each(["alice", "a/b", "__proto__", "sessions", "status", "ü", "%"])("of %j", async (id) => {
      const path = pathOf(`${id} ${form}`);
      expect((await gateway.http("GET", path)).json).toEqual({ data: DEFAULT });
      const before = Date.now();
      const put = { availability: "busy", text: "in a call", emoji: "📞", expiresInMs: 60_000 };
      const { status, json } = await gateway.http("PUT", path, put);
      expect(status).toBe(200);
      const { expiresAt, ...declared } = json.data;
      expect(declared).toEqual({ availability: "busy", text: "in a call", emoji: "📞" });
      expect(expiresAt).toBeGreaterThanOrEqual(before + 60_000);
      expect(expiresAt).toBeLessThanOrEqual(Date.now() + 60_000);
      expect((await gateway.http("GET", path)).json).toEqual(json);
      // The whole status is replaced; null is as absent, and an empty text is none.
      const again = await gateway.http("PUT", path, { availability: null, text: "x", emoji: "" });
      expect(again.json).toEqual({ data: { availability: "available", text: "x" } });
      expect((await gateway.http("DELETE", path)).json).toEqual({ data: DEFAULT });
      expect((await gateway.http("GET", path)).json).toEqual({ data: DEFAULT });
    });
  });

  it("is seen by others at once, and is absent where the user is invisible", async () => {
    const bob = await gateway.connect("bob");
    await bob.open({ selectedConversationId: "c1", isTyping: true });
    const watcher = await gateway.connect();
    await watcher.subscribe({ userIds: ["bob"] });
    await gateway.http("PUT", `${V1}/users/bob/status`, { availability: "dnd", text: "sleeping" });
    const { data } = await watcher.next("diff");
    expect(data.bob).toMatchObject({ status: "dnd", statusText: "sleeping" });
    const before = (await gateway.http("GET", `${V1}/stats`)).json;

    await gateway.http("PUT", `${V1}/users/bob/status`, { availability: "invisible" });
    expect(await watcher.next("diff")).toMatchObject({ data: { bob: null }, causes: { bob: "closed" } });
    expect((await gateway.http("GET", `${V1}/users/bob/sessions`)).json).toEqual([]);
    expect(await gateway.query({ userIds: ["bob"] })).toEqual({});
    expect(await gateway.query({ userIds: ["bob"], includeInvisible: true })).toMatchObject({
      bob: { status: "invisible", widgets: [{ isTyping: true }] },
    });
    expect((await gateway.http("GET", `${V1}/stats`)).json).toMatchObject({
      users: before.users - 1,
      widgets: before.widgets - 1,
      typing: before.typing - 1,
    });
    // A kick really ends the sessions of an invisible user, and counts them.
    expect((await gateway.http("DELETE", `${V1}/users/bob/sessions`)).json).toEqual({ ended: 1 });
    expect(await bob.next("closed")).toMatchObject({ cause: "kicked" });
  });

  const BAD: [body: unknown, field: string][] = [
    [{ availability: "online" }, "availability"],
    [{ text: "x".repeat(129) }, "text"],
    [{ text: "a\nb" }, "text"],
    [{ text: 1 }, "text"],
    [{ emoji: "x".repeat(33) }, "emoji"],
    [{ expiresInMs: 999 }, "expiresInMs"],
    [{ expiresInMs: 31_536_000_001 }, "expiresInMs"],
    [{ expiresInMs: 1_000.5 }, "expiresInMs"],
    [{ availibility: "busy" }, "availibility"],
    [{ expiresAt: 1 }, "expiresAt"],
    [[], "body"],
    ["{", "body"],
  ];
  it.each(BAD)("%j is 400 by its field, and changes nothing", async (body, field) => {
    const path = `${V1}/users/carol/status`;
    await gateway.http("PUT", path, { availability: "away", text: "lunch" });
    const { status, json } = await gateway.http("PUT", path, body);
    expect([status, json.errorCode, Object.keys(json.reasons)]).toEqual([400, "BAD_REQUEST", [field]]);
    expect((await gateway.http("GET", path)).json.data).toEqual({ availability: "away", text: "lunch" });
  });

  it("names the field that was probably meant", async () => {
    const { json } = await gateway.http("PUT", `${V1}/users/carol/status`, { avail: "busy" });
    expect(json.reasons.avail).toEqual(["is not known here: did you mean availability?"]);
  });

  it("needs the rights of a back end, and a user", async () => {
    const path = `${V1}/users/alice/status`;
    for (const method of ["GET", "PUT", "DELETE"]) {
      expect((await gateway.http(method, path, undefined, { authorization: "Bearer x" })).status).toBe(401);
      const token = await gateway.token({ tokenType: "user", sub: "alice" });
      const asUser = await gateway.http(method, path, undefined, { authorization: `Bearer ${token}` });
      expect(asUser.status).toBe(401);
      expect((await gateway.http(method, `${V1}/users/status`)).json.reasons).toHaveProperty("userId");
      expect((await gateway.http(method, `/v1/nowhere/users/alice/status`)).status).toBe(404);
    }
    const app = await gateway.token({ tokenType: "app" });
    expect((await gateway.http("GET", path, undefined, { authorization: `Bearer ${app}` })).status).toBe(200);
    expect((await gateway.http("PUT", path, "x=1", { "content-type": "text/plain" })).status).toBe(415);
  });
});
