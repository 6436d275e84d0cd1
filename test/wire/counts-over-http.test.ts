import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { APP, SECRET, TestGateway } from "../support/gateway.ts";
import { TRANSPORTS } from "../support/transports.ts";

// The number of users in a result, by a request and by a stream.

const V1 = `/v1/${APP}`;

describe.each(TRANSPORTS)("counts over %s", (transport) => {
  let gateway: TestGateway;
  const count = (filter?: unknown) => gateway.http("POST", `${V1}/presences/count`, filter);
  beforeAll(async () => {
    gateway = await TestGateway.start(transport, {
      app: { indexedCustom: ["team"] },
      env: { DIFF_INTERVAL_MS: "0" },
    });
    for (const [userId, custom] of [
      ["alice", { team: "billing" }],
      ["bob", { team: "sales", mood: "x" }],
      ["carol", {}],
      ["ivy", { team: "billing" }],
    ] as const)
      await gateway.http("PUT", `${V1}/users/${userId}/sessions/k`, { custom });
    await gateway.http("PUT", `${V1}/users/bob/status`, { availability: "busy" });
    await gateway.http("PUT", `${V1}/users/ivy/status`, { availability: "invisible" });
  });
  afterAll(() => gateway.stop());

  it.each([
    [undefined, 3],
    [{}, 3],
    [{ userIds: ["alice", "nobody", "ivy"] }, 1],
    [{ userIds: [] }, 0],
    [{ status: ["busy"] }, 1],
    [{ custom: { team: ["billing", "sales"] } }, 2],
    [{ includeInvisible: true }, 4],
    [{ includeInvisible: true, custom: { team: "billing" } }, 2],
    [{ fields: [] }, 3],
    [{ isTyping: true }, 0],
  ])("of %j is %i", async (filter, users) => {
    const { status, json } = await count(filter);
    expect([status, json]).toEqual([200, { data: { users } }]);
  });

  it("follow the presences, also where the same was asked before", async () => {
    expect((await count({})).json.data.users).toBe(3);
    await gateway.http("PUT", `${V1}/users/dora/sessions/k`);
    expect((await count({})).json.data.users).toBe(4);
    await gateway.http("DELETE", `${V1}/users/dora/sessions/k`);
    expect((await count({})).json.data.users).toBe(3);
  });

  it("and results refuse the same filters", async () => {
    for (const path of ["presences", "presences/count"]) {
      for (const [filter, field] of [
        [{ custom: { mood: "x" } }, "custom"],
        [{ custom: {} }, "custom"],
        [{ userId: ["bob"] }, "userId"],
        [{ count: true }, "count"],
        ["{", "body"],
      ] as const) {
        const { status, json } = await gateway.http("POST", `${V1}/${path}`, filter);
        expect([status, Object.keys(json.reasons)]).toEqual([400, [field]]);
      }
      expect((await gateway.http("POST", `${V1}/${path}?userIds=bob`, {})).status).toBe(400);
      expect((await gateway.http("POST", `${V1}/${path}`, {}, { authorization: "Bearer x" })).status).toBe(
        401,
      );
      const withIds = { custom: { mood: "x" }, userIds: ["alice", "bob"] };
      expect((await gateway.http("POST", `${V1}/${path}`, withIds)).status).toBe(200);
    }
  });

  it("may be streamed: an unchanged number is not sent, and Last-Event-ID gives the present one", async () => {
    const read = async (query: string, headers: Record<string, string> = {}) => {
      const abort = new AbortController();
      const response = await fetch(`${gateway.url}${V1}/presences/stream?${query}`, {
        headers: { authorization: `Bearer ${SECRET}`, ...headers },
        signal: abort.signal,
      });
      const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      const next = async (): Promise<Record<string, string>> => {
        while (!text.includes("\n\n")) text += (await reader.read()).value;
        const [block = "", ...rest] = text.split("\n\n");
        text = rest.join("\n\n");
        return Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/s).slice(0, 2)));
      };
      return { next, close: () => abort.abort() };
    };
    const filter = `filter=${encodeURIComponent('{"userIds":["sue","tom"]}')}`;
    const events = await read(`${filter}&count=true`);
    const first = await events.next();
    expect(first.event).toBe("count");
    const { view, version, users } = JSON.parse(first.data!);
    expect([users, first.id]).toEqual([0, `${view}:${version}`]);
    await gateway.http("PUT", `${V1}/users/sue/sessions/k`);
    // Neither a change of the session nor one of the status changes the number.
    await gateway.http("PUT", `${V1}/users/sue/sessions/k`, { hasFocus: true });
    await gateway.http("PUT", `${V1}/users/sue/status`, { availability: "away" });
    await gateway.http("PUT", `${V1}/users/tom/sessions/k`);
    for (const users of [1, 2]) {
      const { event, id, data } = await events.next();
      expect([event, id]).toEqual(["count", `${view}:${version + users}`]);
      expect(JSON.parse(data!)).toEqual({ type: "count", view, version: version + users, users });
    }
    const again = await read(`${filter}&count=true`, { "last-event-id": first.id! });
    expect(JSON.parse((await again.next()).data!)).toMatchObject({ users: 2, version: version + 2 });
    // Also to a reader who has it already, and to one who was elsewhere before.
    for (const lastEventId of [`${view}:${version + 2}`, "elsewhere:7", "strange"]) {
      const present = await read(`${filter}&count=true`, { "last-event-id": lastEventId });
      const { event, id, data } = await present.next();
      expect([event, id]).toEqual(["count", `${view}:${version + 2}`]);
      expect(JSON.parse(data!)).toEqual({ type: "count", view, version: version + 2, users: 2 });
      present.close();
    }
    const whole = await read(`${filter}&count=false`);
    expect((await whole.next()).event).toBe("snapshot");
    for (const stream of [events, again, whole]) stream.close();
  });

  it.each(["", "1", "TRUE", "null", "maybe"])("count=%s is 400", async (value) => {
    const { status, json } = await gateway.http("GET", `${V1}/presences/stream?count=${value}`);
    expect([status, Object.keys(json.reasons)]).toEqual([400, ["count"]]);
  });
});
