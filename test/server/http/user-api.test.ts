import { describe, expect, it } from "vitest";
import { appRoutes } from "../../support/app-routes.ts";
import { jsonOf } from "../../support/http-handler.ts";

const connection = { onSessionTaken: () => {} };

describe("the sessions of a user", () => {
  it("are listed with the background ones first, unless the user is invisible", async () => {
    const { ask, presence } = appRoutes();
    presence.transact(0, (sessions) => {
      sessions.open("alice", "widget", { selectedConversationId: "c1" }, connection);
      sessions.open("alice", "background", {}, connection);
    });
    const list = async () => jsonOf(await ask("GET", "/v1/app/users/alice/sessions"));
    expect(await list()).toEqual([
      { isTyping: false, currentConversationId: null },
      { isTyping: false, currentConversationId: "c1" },
    ]);
    presence.transact(0, ({ profiles }) => profiles.declare("alice", { availability: "invisible" }));
    expect(await list()).toEqual([]);
    expect(jsonOf(await ask("DELETE", "/v1/app/users/alice/sessions"))).toEqual({ ended: 2 });
    expect(presence.table.user("alice")).toBeUndefined();
  });

  it("are told apart by the key in the query, which a kick must not have", async () => {
    const { ask, presence } = appRoutes();
    const path = "/v1/app/users/sessions";
    for (const key of ["one", "two", "three"]) await ask("PUT", path, { query: `userId=alice&key=${key}` });
    expect(presence.table.user("alice")?.sessions).toHaveLength(3);
    expect(jsonOf(await ask("DELETE", path, { query: "key=one&userId=alice" }))).toEqual({ ended: 1 });
    expect((await ask("DELETE", path, { query: "userId=alice&key=" })).status).toBe(400);
    expect((await ask("DELETE", path, { query: "userId=alice&key=two&key=three" })).status).toBe(400);
    expect(presence.table.user("alice")?.sessions).toHaveLength(2);
    expect(jsonOf(await ask("DELETE", path, { query: "userId=alice" }))).toEqual({ ended: 2 });
  });

  it("that are written while memory is short are refused, and told", async () => {
    const { ask, node, refusals } = appRoutes();
    const MIB = 1024 * 1024;
    const limits = { residentLimit: 1_000 * MIB, heap: MIB, heapLimit: 1_000 * MIB };
    node.loadShedder.sample({ resident: 990 * MIB, ...limits });
    const response = await ask("PUT", "/v1/app/users/alice/sessions/k", { body: "{}" });
    expect(response).toMatchObject({ status: 429, headers: { "retry-after": "1" } });
    expect(jsonOf(response)).toMatchObject({
      errorCode: "LIMIT_REACHED",
      reasons: { sessions: [expect.any(String)] },
    });
    expect(refusals).toEqual(["limit_reached"]);
  });
});

describe("a user who is called like a part of a path", () => {
  it.each(["sessions", "status", "users", "presences"])("%s: is reached in both forms", async (userId) => {
    const { ask, presence } = appRoutes();
    const user = `/v1/app/users/${userId}`;
    await ask("PUT", `${user}/status`, { body: '{"availability":"busy"}' });
    for (const key of ["sessions", "status"]) await ask("PUT", `${user}/sessions/${key}`);
    expect(presence.table.user(userId)?.sessions).toHaveLength(2);
    const query = `userId=${userId}`;
    expect(jsonOf(await ask("GET", "/v1/app/users/status", { query })).data.availability).toBe("busy");
    expect(jsonOf(await ask("DELETE", `${user}/sessions/sessions`))).toEqual({ ended: 1 });
    expect(jsonOf(await ask("DELETE", `${user}/status`)).data.availability).toBe("available");
    expect(presence.table.user(userId)?.sessions).toHaveLength(1);
    expect(jsonOf(await ask("DELETE", `${user}/sessions`))).toEqual({ ended: 1 });
    await ask("PUT", `${user}/status`, { body: '{"text":"x"}' });
    expect(jsonOf(await ask("DELETE", "/v1/app/users", { query }))).toEqual({ ended: 0, erased: true });
    expect(presence.table.profiles.size).toBe(0);
  });
});
