import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { DEFAULT_STATE } from "../../../src/dashboard/model/dashboard-state.ts";
import { PresenceStore } from "../../../src/dashboard/store/presence-store.ts";
import type { FakeServer } from "../../support/fake-server.ts";
import { someone } from "../../support/sdk.ts";
import { closeFakePage, openFakePage } from "./fake-page.ts";

let server: FakeServer;
let store: PresenceStore;

beforeEach(async () => {
  server = await openFakePage();
});
afterEach(() => closeFakePage(server, store));

const open = (state = DEFAULT_STATE) => {
  store = new PresenceStore({ token: "a.b.c", appId: "my-app" }, state);
};
const shown = () => store.rows.shown.map(({ userId }) => userId);

it("is live with the first snapshot and follows the changes", async () => {
  server.push({}, { alice: someone() });
  open();
  expect([store.phase.kind, store.isPending, store.since]).toEqual(["connecting", true, 0]);
  await vi.waitFor(() => expect(store.isPending).toBe(false));
  expect(store.isLive).toBe(true);
  expect(store.since).toBeGreaterThan(0);
  expect(shown()).toEqual(["alice"]);
  expect(store.activity.entries()).toEqual([]);
  expect(store.history.last("online")).toBe(1);

  server.push({}, { bob: someone(), alice: null }, { alice: "closed" });
  await vi.waitFor(() => expect(shown()).toEqual(["bob"]));
  expect(store.activity.entries()).toMatchObject([
    { userId: "bob", cause: undefined },
    { userId: "alice", cause: "closed" },
  ]);
});

it("shows the rows of the previous filter until the snapshot of the new one arrives", async () => {
  server.push({}, { alice: someone() });
  open();
  await vi.waitFor(() => expect(shown()).toEqual(["alice"]));
  server.push({ isTyping: true }, { bob: someone() });
  store.show({ ...DEFAULT_STATE, filter: { isTyping: true } });
  expect([store.isPending, shown()]).toEqual([true, ["alice"]]);
  await vi.waitFor(() => expect(shown()).toEqual(["bob"]));
  expect(store.isPending).toBe(false);
  await server.message("unsubscribe");
  expect(server.connections).toHaveLength(1);
});

it("another filter keeps the feed and the charts, and marks where it begins", async () => {
  server.push({}, { alice: someone() });
  open();
  await vi.waitFor(() => expect(shown()).toEqual(["alice"]));
  server.push({}, { bob: someone() });
  await vi.waitFor(() => expect(shown()).toEqual(["alice", "bob"]));
  expect(store.history.marks).toEqual([]);
  server.push({ isTyping: true }, { bob: someone() });
  store.show({ ...DEFAULT_STATE, filter: { isTyping: true } });
  await vi.waitFor(() => expect(shown()).toEqual(["bob"]));
  expect(store.activity.entries()).toMatchObject([{ userId: undefined }, { userId: "bob" }]);
  expect(store.history.marks).toHaveLength(1);
  expect(store.history.series("online", Date.now() / 1000)[1]).toContain(1);
  expect(store.rows.get("bob")!.online.isExact).toBe(true);
});

it("knows since when somebody is online only of those who came while it was live", async () => {
  server.push({}, { alice: someone() });
  open();
  await vi.waitFor(() => expect(shown()).toEqual(["alice"]));
  expect(store.rows.get("alice")!.online.isExact).toBe(false);
  server.push({}, { bob: someone() });
  await vi.waitFor(() => expect(shown()).toEqual(["alice", "bob"]));
  expect(store.rows.get("bob")!.online.isExact).toBe(true);
  server.connections[0]!.drop();
  await vi.waitFor(() => expect(store.isLive).toBe(false));
  server.push({}, { carol: someone() });
  await vi.waitFor(() => expect(shown()).toEqual(["alice", "bob", "carol"]));
  expect(store.rows.get("carol")!.online.isExact).toBe(false);
});

it("stands still while it is paused, follows the search, and misses nothing", async () => {
  server.push({}, { alice: someone(), bob: someone() });
  open();
  await vi.waitFor(() => expect(shown()).toEqual(["alice", "bob"]));
  expect(store.pausedAt).toBeUndefined();
  store.pause();
  expect(store.pausedAt).toBeGreaterThan(0);
  server.push({}, { carol: someone(), alice: null }, { alice: "closed" });
  await vi.waitFor(() => expect(store.live.get("carol")).toBeDefined());
  expect(shown()).toEqual(["alice", "bob"]);
  expect(store.activity.entries()).toEqual([]);
  store.show({ ...DEFAULT_STATE, search: "ali" });
  expect(shown()).toEqual(["alice"]);
  store.show(DEFAULT_STATE);
  store.resume();
  expect(store.pausedAt).toBeUndefined();
  expect(shown()).toEqual(["bob", "carol"]);
  expect(store.activity.entries()).toMatchObject([{ userId: "carol" }, { userId: "alice" }]);
});

it("another filter ends a pause", async () => {
  open();
  await vi.waitFor(() => expect(store.isPending).toBe(false));
  store.pause();
  store.show({ ...DEFAULT_STATE, filter: { isTyping: true } });
  expect(store.pausedAt).toBeUndefined();
});

it("searches and sorts without a new subscription", async () => {
  server.push({}, { alice: someone(), bob: someone() });
  open();
  await vi.waitFor(() => expect(shown()).toEqual(["alice", "bob"]));
  store.show({ ...DEFAULT_STATE, search: "B" });
  expect([store.isPending, shown()]).toEqual([false, ["bob"]]);
  store.show({ ...DEFAULT_STATE, sort: { key: "user", isDescending: true } });
  expect(shown()).toEqual(["bob", "alice"]);
  expect(server.messages("subscribe")).toHaveLength(1);
});

it("knows since when the rows may be out of date", async () => {
  open();
  await vi.waitFor(() => expect(store.isPending).toBe(false));
  server.refusal = "hang";
  server.connections[0]!.drop();
  await vi.waitFor(() => expect(store.phase.kind).toBe("reconnecting"));
  expect(store.phase).toMatchObject({ asOf: expect.any(Number) });
  expect(store.isLive).toBe(false);
});

it.each([
  ["FORBIDDEN", "refused", "the test's server"],
  ["BAD_MESSAGE", "failed", "An id has at most 255 characters"],
])("explains a subscription that fails with %s", async (code, kind, message) => {
  server.on("subscribe", ({ id }, connection) =>
    connection.send({ type: "error", id, code, message: "the test's server" }),
  );
  open();
  await vi.waitFor(() =>
    expect(store.phase).toMatchObject({ kind, message: expect.stringContaining(message) }),
  );
  server.off("subscribe");
  store.retry();
  await vi.waitFor(() => expect(store.isLive && !store.isPending).toBe(true));
});

it("goes on with another token: rows, charts and activity stay", async () => {
  server.push({}, { alice: someone() });
  store = new PresenceStore({ token: "old", appId: "my-app", expiresAt: Date.now() }, DEFAULT_STATE);
  await vi.waitFor(() => expect(store.isPending).toBe(false));
  server.push({}, { bob: someone() });
  await vi.waitFor(() => expect(shown()).toEqual(["alice", "bob"]));
  const connection = server.connections[0]!;
  // Twice: there is one answer for all who wait.
  connection.send({ type: "token_expiring", expiresInMs: 60_000 });
  connection.socket.close(4410, "token expired");
  await vi.waitFor(() => expect(store.phase.kind).toBe("reconnecting"));
  expect(server.connections).toHaveLength(1);

  store.renew({ token: "new", appId: "my-app", expiresAt: Date.now() + 3_600_000 });
  await vi.waitFor(() => expect(store.isLive).toBe(true));
  expect(server.messages("connect").map(({ token }) => token)).toEqual(["old", "new"]);
  expect(shown()).toEqual(["alice", "bob"]);
  expect(store.activity.entries().map(({ userId }) => userId)).toEqual(["bob"]);
});

it("a token that was refused is followed by another, and the page goes on", async () => {
  server.push({}, { alice: someone() });
  open();
  await vi.waitFor(() => expect(store.isPending).toBe(false));
  server.push({}, { bob: someone() });
  await vi.waitFor(() => expect(shown()).toEqual(["alice", "bob"]));
  server.on("subscribe", ({ id }, connection) =>
    connection.send({ type: "error", id, code: "FORBIDDEN", message: "no" }),
  );
  store.retry();
  await vi.waitFor(() => expect(store.phase.kind).toBe("refused"));
  server.off("subscribe");
  store.renew({ token: "new", appId: "my-app" });
  await vi.waitFor(() => expect(store.isLive && !store.isPending).toBe(true));
  expect(server.messages("connect").at(-1)).toMatchObject({ token: "new" });
  expect(store.activity.entries().map(({ userId }) => userId)).toEqual(["bob"]);
});

it("connects at once with another token, however long it would have waited", async () => {
  vi.spyOn(Math, "random").mockReturnValue(0.999);
  open();
  await vi.waitFor(() => expect(store.isPending).toBe(false));
  server.on("connect", (_message, connection) => connection.socket.close(4401, "no valid token"));
  // Waits of one, two and four seconds: the next one is longer.
  server.connections[0]!.socket.close(4401, "no valid token");
  const waitsMs = () => {
    const { phase } = store;
    return phase.kind === "reconnecting" && phase.retryAt !== undefined ? phase.retryAt - Date.now() : 0;
  };
  await vi.waitFor(() => expect(waitsMs()).toBeGreaterThan(3_000));
  server.off("connect");
  store.renew({ token: "new", appId: "my-app" });
  // Listeners of the client are called after the call.
  await Promise.resolve();
  expect(waitsMs()).toBeLessThanOrEqual(0);
  await vi.waitFor(() => expect(store.isLive).toBe(true));
  expect(server.messages("connect").at(-1)).toMatchObject({ token: "new" });
  vi.restoreAllMocks();
});
