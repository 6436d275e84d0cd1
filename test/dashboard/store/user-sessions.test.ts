import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { DEFAULT_STATE } from "../../../src/dashboard/model/dashboard-state.ts";
import { PresenceStore } from "../../../src/dashboard/store/presence-store.ts";
import type { UserSessions } from "../../../src/dashboard/store/user-sessions.ts";
import type { FakeServer } from "../../support/fake-server.ts";
import { session, value } from "../model/values.ts";
import { closeFakePage, openFakePage } from "./fake-page.ts";

const allOf = (userId: string) => ({
  userIds: [userId],
  includeBackgroundSessions: true,
  includeInvisible: true,
});
const ALL_OF_ALICE = allOf("alice");
const typing = session({ sessionId: "typing", isTyping: true });
const other = session({ sessionId: "other" });

let server: FakeServer;
let store: PresenceStore;
let sessions: UserSessions;

beforeEach(async () => {
  server = await openFakePage();
});
afterEach(() => closeFakePage(server, store));

/** The page with a filter that shows one of alice's sessions, and then her details. */
async function follow(): Promise<void> {
  server.push({}, { alice: value([other]) });
  server.push({ isTyping: true }, { alice: value([typing]) });
  server.push(ALL_OF_ALICE, { alice: value([typing, other]) });
  store = new PresenceStore({ token: "a.b.c", appId: "my-app" }, DEFAULT_STATE);
  await vi.waitFor(() => expect(store.isPending).toBe(false));
  store.show({ ...DEFAULT_STATE, filter: { isTyping: true } });
  await vi.waitFor(() => expect(store.isPending).toBe(false));
  sessions = store.follow("alice");
  expect([sessions.isKnown, sessions.row]).toEqual([false, undefined]);
  await vi.waitFor(() => expect(sessions.isKnown).toBe(true));
}

it("has the sessions that the filter leaves out, and follows them", async () => {
  await follow();
  expect(store.live.get("alice")!.value).toEqual(value([typing]));
  expect(sessions.row!.value).toEqual(value([typing, other]));
  server.push(ALL_OF_ALICE, { alice: value([other]) });
  await vi.waitFor(() => expect(sessions.row!.value).toEqual(value([other])));
  server.push(ALL_OF_ALICE, { alice: null });
  await vi.waitFor(() => expect(sessions.row).toBeUndefined());
  expect(sessions.isKnown).toBe(true);
});

it("keeps what the page has seen of the user; sessions that it has not seen may be older", async () => {
  server.push({}, {});
  server.push(ALL_OF_ALICE, { alice: value([typing]) });
  server.push(allOf("bob"), { bob: value([typing], [other]) });
  store = new PresenceStore({ token: "a.b.c", appId: "my-app" }, DEFAULT_STATE);
  await vi.waitFor(() => expect(store.isPending).toBe(false));
  server.push({}, { alice: value([typing]), bob: value([typing]) });
  await vi.waitFor(() => expect(store.live.get("alice")).toBeDefined());
  const { online, times } = store.live.get("alice")!;
  expect(online.isExact).toBe(true);

  sessions = store.follow("alice");
  await vi.waitFor(() => expect(sessions.isKnown).toBe(true));
  expect(sessions.row).toMatchObject({ online, times });

  sessions = store.follow("bob");
  await vi.waitFor(() => expect(sessions.isKnown).toBe(true));
  expect(sessions.row!.online).toEqual({ at: online.at, isExact: false });
  expect(sessions.row!.times[0]).toEqual(times[0]);
  expect(sessions.row!.times[1]!.online.isExact).toBe(false);
});

it("knows since when a session is open only if it came while the page was live", async () => {
  await follow();
  const third = session({ sessionId: "third" });
  server.push(ALL_OF_ALICE, { alice: value([typing, other, third]) });
  await vi.waitFor(() => expect(sessions.row!.sessions).toBe(3));
  expect(sessions.row!.times.map(({ online }) => online.isExact)).toEqual([false, false, true]);
  server.connections[0]!.drop();
  await vi.waitFor(() => expect(store.isLive).toBe(false));
  const fourth = session({ sessionId: "fourth" });
  server.push(ALL_OF_ALICE, { alice: value([typing, other, third, fourth]) });
  await vi.waitFor(() => expect(sessions.row!.sessions).toBe(4));
  expect(sessions.row!.times.map(({ online }) => online.isExact)).toEqual([false, false, true, false]);
});

it("ends its subscription when it is closed", async () => {
  await follow();
  const unsubscribed = server.messages("unsubscribe").length;
  sessions.close();
  await server.message("unsubscribe", unsubscribed);
  store.retry();
  // Its answer comes after all that the next client subscribes to by itself.
  const others = store.follow("bob");
  await vi.waitFor(() => expect(others.isKnown).toBe(true));
  const subscribed = server.connections
    .at(-1)!
    .messages("subscribe")
    .map(({ filter }) => filter);
  expect(subscribed).toEqual([{ isTyping: true }, allOf("bob")]);
});

it("goes on with the page's next client, and keeps what it knew", async () => {
  await follow();
  const before = sessions.row!;
  store.retry();
  await vi.waitFor(() => expect(server.connections).toHaveLength(2));
  server.push(ALL_OF_ALICE, { alice: value([typing]) });
  await vi.waitFor(() => expect(sessions.row!.sessions).toBe(1));
  expect(sessions.row).toMatchObject({ online: before.online, times: [before.times[0]] });
});

it("knows nothing if the gateway refuses it, and the page goes on", async () => {
  server.on("subscribe", async (message, connection) => {
    if (message.filter.userIds === undefined) return await connection.behave(message);
    connection.send({ type: "error", id: message.id, code: "FORBIDDEN", message: "no" });
  });
  store = new PresenceStore({ token: "a.b.c", appId: "my-app" }, DEFAULT_STATE);
  await vi.waitFor(() => expect(store.isPending).toBe(false));
  const notified = vi.fn();
  sessions = store.follow("alice");
  vi.spyOn(sessions.changed, "notify").mockImplementation(notified);
  await vi.waitFor(() => expect(notified).toHaveBeenCalled());
  expect([sessions.isKnown, sessions.row, store.isLive]).toEqual([false, undefined, true]);
});
