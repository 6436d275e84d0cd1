import { beforeEach, describe, expect, it, vi } from "vitest";
import { FilterSchema } from "../../../src/protocol/filter.ts";
import type { Principal } from "../../../src/server/auth/principal.ts";
import type { Frame } from "../../../src/server/gateway/frame.ts";
import { MessageDispatcher, type PresenceMessage } from "../../../src/server/gateway/message-dispatcher.ts";
import { SendQueue } from "../../../src/server/gateway/send-queue.ts";
import { Subscriptions } from "../../../src/server/gateway/subscriptions.ts";
import type { UserBudget } from "../../../src/server/gateway/user-budget.ts";
import { World } from "../../fuzz/targets/world.ts";
import { TEST_OWNER, testPageTurns } from "../../support/stubs.ts";

const APP: Principal = { kind: "app", exp: undefined };
const ALICE: Principal = {
  kind: "user",
  userId: "alice",
  grant: { kind: "some", userIds: new Set(["bob"]), conversationIds: new Set(), counts: false },
  exp: undefined,
};
const filter = FilterSchema.parse({ userIds: ["bob"] });

let world: World;
let sent: Record<string, unknown>[];
let dispatcher: MessageDispatcher;
let budget: UserBudget;

beforeEach(() => {
  world = new World({}, { lastSeen: true });
  sent = [];
  const sink = {
    buffered: 0,
    progress: 0,
    send: ({ text }: Frame) => {
      sent.push(JSON.parse(text));
      return true;
    },
  };
  dispatcher = new MessageDispatcher(world.node, world.presence, {
    sendQueue: new SendQueue(sink, 1_000_000, TEST_OWNER, testPageTurns()),
    onFailure: (error) => {
      throw error;
    },
    send: (message) => void sent.push({ ...message }),
    ok: (id) => void sent.push({ type: "ok", id }),
    error: (id, code) => void sent.push({ type: "error", id, code }),
    badMessage: (id) => void sent.push({ type: "error", id, code: "BAD_MESSAGE" }),
  });
  budget = world.presence.budgets.acquire("alice", 0);
});

/** Dispatches a message, and returns its answer. */
function answerTo(message: PresenceMessage, principal = ALICE): Record<string, unknown> | undefined {
  sent.length = 0;
  dispatcher.dispatch(message, principal, budget, world.time);
  return sent[0];
}

describe("a message is done by its type:", () => {
  it("ping", () => {
    expect(answerTo({ type: "ping", id: 1 })).toEqual({ type: "pong", id: 1 });
  });

  it("open, update and close, for a session", () => {
    const { sessionId } = answerTo({ type: "open", id: 1, kind: "widget" }) as { sessionId: string };
    expect(world.presence.table.counts()).toMatchObject({ users: 1, sessions: 1 });
    expect(answerTo({ type: "update", id: 2, sessionId, hasFocus: true })).toEqual({ type: "ok", id: 2 });
    expect(world.presence.table.get(sessionId)?.hasFocus).toBe(true);
    expect(answerTo({ type: "close", id: 3, sessionId })).toMatchObject({ type: "closed", id: 3 });
    expect(world.presence.table.counts()).toMatchObject({ users: 0 });
  });

  it("status, for the user of the token or the one that an app token names", () => {
    expect(answerTo({ type: "status", id: 1, availability: "dnd" })).toEqual({ type: "ok", id: 1 });
    expect(answerTo({ type: "status", id: 2, userId: "bob", availability: "dnd" })).toMatchObject({
      code: "FORBIDDEN",
    });
    expect(answerTo({ type: "status", id: 3, userId: "bob", availability: "dnd" }, APP)).toEqual({
      type: "ok",
      id: 3,
    });
    expect(answerTo({ type: "status", id: 4, availability: "dnd" }, APP)).toMatchObject({
      code: "BAD_MESSAGE",
    });
  });

  it("last_seen, for the users that the token grants", () => {
    expect(answerTo({ type: "last_seen", id: 1, userIds: ["bob"] })).toMatchObject({
      type: "last_seen",
      id: 1,
      data: {},
    });
    expect(answerTo({ type: "last_seen", id: 2, userIds: ["carol"] })).toMatchObject({ code: "FORBIDDEN" });
    expect(answerTo({ type: "last_seen", id: 3, userIds: ["carol"] }, APP)).toMatchObject({ id: 3 });
  });

  it("last_seen, in an app that does not keep it", () => {
    world = new World();
    dispatcher = new MessageDispatcher(world.node, world.presence, {
      sendQueue: undefined as never,
      onFailure: () => {},
      send: () => expect.fail("an answer"),
      ok: () => expect.fail("an answer"),
      error: (id, code) => void sent.push({ id, code }),
      badMessage: () => expect.fail("a bad message"),
    });
    expect(answerTo({ type: "last_seen", id: 1, userIds: ["bob"] })).toEqual({ id: 1, code: "NOT_FOUND" });
  });

  it("subscribe, query and unsubscribe, for the filters that the token grants", () => {
    const { view } = answerTo({ type: "subscribe", id: 1, filter }) as { view: string };
    expect(world.presence.subscriptions).toBe(1);
    expect(answerTo({ type: "query", id: 2, filter })).toMatchObject({ type: "result", id: 2 });
    expect(answerTo({ type: "query", id: 3, filter: FilterSchema.parse({}) })).toMatchObject({
      code: "FORBIDDEN",
    });
    expect(answerTo({ type: "unsubscribe", id: 4, view })).toEqual({ type: "ok", id: 4 });
    expect(world.presence.subscriptions).toBe(0);
  });
});

it("ends the subscriptions that another token does not allow, if there are any", () => {
  const less: Principal = {
    ...ALICE,
    grant: { kind: "some", userIds: new Set(), conversationIds: new Set(), counts: false },
  };
  dispatcher.recheck(less, 0);
  answerTo({ type: "subscribe", id: 1, filter });
  dispatcher.recheck(ALICE, 0);
  expect(world.presence.subscriptions).toBe(1);
  dispatcher.recheck(less, 0);
  expect(world.presence.subscriptions).toBe(0);
  expect(sent.at(-1)).toMatchObject({ type: "error", code: "FORBIDDEN" });
});

it.each([
  ["a clean end ends the sessions", true, 0],
  ["a lost socket leaves the sessions for the resume window", false, 1],
])("%s, and the subscriptions end", (_name, clean, users) => {
  answerTo({ type: "open", id: 1, kind: "widget" });
  answerTo({ type: "subscribe", id: 2, filter });
  dispatcher.release(clean, 0);
  expect(world.presence.table.counts().users).toBe(users);
  expect(world.presence.subscriptions).toBe(0);
});

it("the sessions of a socket that has gone are released, even if its subscriptions fail to end", () => {
  answerTo({ type: "open", id: 1, kind: "widget" });
  answerTo({ type: "subscribe", id: 2, filter });
  const endAll = vi.spyOn(Subscriptions.prototype, "endAll").mockImplementation(() => {
    throw new Error("a defect");
  });
  try {
    expect(() => dispatcher.release(true, world.time)).toThrow("a defect");
  } finally {
    endAll.mockRestore();
  }
  expect(world.presence.table.counts()).toMatchObject({ users: 0, sessions: 0 });
});
