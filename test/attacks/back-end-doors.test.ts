import { afterEach, describe, expect, it } from "vitest";
import { MAX_BATCH } from "../../src/server/http/request-bodies.ts";
import { APP, TestGateway, type TestGatewayOptions } from "../support/gateway.ts";
import { HandClock } from "../support/hand-clock.ts";
import { TRANSPORTS } from "../support/transports.ts";

// The doors for back ends, used without end by one app. What others would feel is counted.

const V1 = `/v1/${APP}`;

describe.each(TRANSPORTS)("by one app, over %s", (transport) => {
  let gateway: TestGateway;
  let clock: HandClock;
  afterEach(() => gateway.stop());

  async function start(options: TestGatewayOptions): Promise<void> {
    clock = new HandClock();
    gateway = await TestGateway.start(transport, { ...options, clock });
  }

  it("sessions over HTTP by the thousand that all end at once end bit by bit, and leave nothing behind", async () => {
    await start({ env: { HTTP_REQUESTS_PER_SECOND: "100000", MAX_SESSIONS_PER_USER: "20" } });
    const bystander = await gateway.connect("bystander");
    await bystander.open({});
    const { view } = await bystander.subscribe({ userIds: ["bystander", "bot 0"] });
    const put = (userId: string, key: string) =>
      gateway.http("PUT", `${V1}/users/${encodeURIComponent(userId)}/sessions/${key}`, { ttlMs: 1_000 });
    // One user has as many as a user may have, and never more than 32.
    const statuses = [];
    for (let i = 0; i < 33; i++) statuses.push((await put("bot 0", `k${i}`)).status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(20);
    expect(statuses.slice(20).every((status) => status === 429)).toBe(true);
    const users = 1_500;
    for (let i = 1; i <= users; i += MAX_BATCH) {
      const path = (k: number) => `/users/${encodeURIComponent(`bot ${i + k}`)}/sessions/k`;
      const batch = Array.from({ length: MAX_BATCH }, (_, k) => [k, "PUT", path(k), { ttlMs: 1_000 }]);
      const { json } = await gateway.http("POST", `${V1}/batch`, batch);
      expect((json as [number, number][]).every(([, status]) => status === 200)).toBe(true);
    }
    const counts = () => gateway.presence().debugCounts();
    expect(counts()).toMatchObject({ leases: users + 20, sessions: users + 21 });
    for (const key of ["", "x".repeat(65), "a b", "a/b", "ü", "%00"])
      expect([400, 404]).toContain((await put("bot 1", encodeURIComponent(key))).status);
    expect(counts().leases).toBe(users + 20);
    await bystander.settled();
    bystander.inbox.length = 0;
    // All are due. One turn ends only some of them.
    const due = clock.now() + 1_000;
    let turns = 0;
    for (let before = counts().leases!; before > 0; turns++) {
      gateway.node.run(due);
      const { leases } = counts();
      expect(before - leases!).toBeLessThanOrEqual(1_000);
      expect(leases).toBeLessThan(before);
      before = leases!;
    }
    expect(turns).toBeGreaterThan(1);
    expect(counts()).toMatchObject({ leases: 0, sessions: 1 });
    // The bystander's view has rested.
    gateway.node.run(due + 10_000);
    await bystander.settled();
    // Of all that, the bystander's view has shown the end of the one user whom it names.
    const diffs = bystander.inbox.filter((each) => each.type === "diff");
    expect(diffs.map(({ data }) => Object.keys(data))).toEqual(diffs.map(() => ["bot 0"]));
    expect(bystander.views.get(view)!.data).not.toHaveProperty("bot 0");
  });

  it("checks, last seen, counts and erasing are limited in rate, together, and other apps have their own", async () => {
    const secret = "a secret of another app, long enough";
    await start({
      env: { HTTP_REQUESTS_PER_SECOND: "10" },
      app: { lastSeen: true, indexedCustom: ["email"] },
      apps: [{ id: "other", secrets: [secret] }],
    });
    const ids = (count: number) => Array.from({ length: count }, (_, i) => `user ${i}`);
    const QUESTIONS: [method: string, path: string, body?: object][] = [
      ["POST", `${V1}/presences/check`, { userIds: ids(10_000) }],
      ["POST", `${V1}/last-seen`, { userIds: ids(1_000) }],
      ["POST", `${V1}/presences/count`, { custom: { email: "somebody@example.com" } }],
      ["DELETE", `${V1}/users/somebody`],
    ];
    const statuses: number[] = [];
    for (let i = 0; i < 40; i++) {
      const [method, path, body] = QUESTIONS[i % QUESTIONS.length]!;
      const { status, headers } = await gateway.http(method, path, body);
      statuses.push(status);
      if (status === 429) expect(headers.get("retry-after")).toBe("1");
    }
    expect(statuses.slice(0, 20).every((status) => status === 200)).toBe(true);
    expect(statuses.slice(20).every((status) => status === 429)).toBe(true);
    // A batch is counted by its operations, so it is no way round.
    clock.turn(gateway, 1_000);
    const batch = Array.from({ length: 10 }, (_, i) => [i, "POST", "/presences/count", {}]);
    const { json } = await gateway.http("POST", `${V1}/batch`, batch);
    const inBatch = (json as [number, number][]).map(([, status]) => status);
    expect((await gateway.http("GET", `${V1}/stats`)).status).toBe(429);
    expect(inBatch.filter((status) => status === 200).length).toBeLessThanOrEqual(10);
    const authorization = `Bearer ${secret}`;
    const other = await gateway.http(
      "POST",
      "/v1/other/presences/check",
      { userIds: ["x"] },
      { authorization },
    );
    expect([other.status, other.json.data.absent]).toEqual([200, ["x"]]);
    // Asking, even about ten thousand users, keeps nothing.
    expect(gateway.presence().debugCounts()).toMatchObject({ views: 0, idle: 0, profiles: 0, forgetting: 0 });
  });

  it("statuses of users who do not exist are bounded, the longest unused forgotten first", async () => {
    await start({ env: { MAX_REMEMBERED_USERS: "50", HTTP_REQUESTS_PER_SECOND: "100000" } });
    const alice = await gateway.connect("alice");
    await alice.open({});
    await alice.ask({ type: "status", availability: "busy" });
    for (let i = 0; i < 300; i++)
      await gateway.http("PUT", `${V1}/users/nobody-${i}/status`, { text: "x".repeat(128) });
    const { profiles, forgetting, statuses } = gateway.presence().debugCounts();
    expect(profiles).toBe(51);
    expect(Math.max(forgetting!, statuses!)).toBeLessThanOrEqual(51);
    // Who is online is never forgotten for that.
    expect((await gateway.query({ fields: [] })).alice).toEqual({ status: "busy" });
  });
});
