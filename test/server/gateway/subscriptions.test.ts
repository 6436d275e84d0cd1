import { describe, expect, it } from "vitest";
import { FilterSchema } from "../../../src/protocol/filter.ts";
import type { Principal } from "../../../src/server/auth/principal.ts";
import type { Frame } from "../../../src/server/gateway/frame.ts";
import type { Reply } from "../../../src/server/gateway/reply.ts";
import { SendQueue } from "../../../src/server/gateway/send-queue.ts";
import { Subscriptions } from "../../../src/server/gateway/subscriptions.ts";
import { testPresence } from "../../support/presence.ts";
import { TEST_OWNER, testPageTurns } from "../../support/stubs.ts";

const filterOf = (filter: unknown) => FilterSchema.parse(filter);
const MAX_SUBSCRIPTIONS = 2;
const APP: Principal = { kind: "app", exp: undefined };
const ALICE: Principal = {
  kind: "user",
  userId: "alice",
  grant: { kind: "some", userIds: new Set(), conversationIds: new Set(["c1"]), counts: false },
  exp: undefined,
};

function setUp() {
  const { presence } = testPresence();
  const sent: Record<string, unknown>[] = [];
  const sink = {
    buffered: 0,
    progress: 0,
    send: ({ text }: Frame) => {
      sent.push(JSON.parse(text));
      return true;
    },
  };
  const reply: Reply = {
    send: (message) => void sent.push({ ...message }),
    ok: (id) => void sent.push({ type: "ok", id }),
    error: (id, code) => void sent.push({ type: "error", id, code }),
    badMessage: () => expect.fail("a bad message"),
  };
  const subscriptions = new Subscriptions(
    presence,
    new SendQueue(sink, 1_000_000, TEST_OWNER, testPageTurns()),
    reply,
    TEST_OWNER,
    MAX_SUBSCRIPTIONS,
    presence.budgets.acquire("alice", 0),
  );
  const open = () =>
    presence.transact(0, (life) => life.open("bob", "widget", {}, { onSessionTaken: () => {} }));
  const take = () => sent.splice(0);
  return { presence, subscriptions, open, take };
}

describe("the subscriptions of a socket", () => {
  it("begin with a snapshot, and bring the diffs after it", () => {
    const { subscriptions, open, take } = setUp();
    subscriptions.subscribe({ type: "subscribe", id: 1, filter: filterOf({}) }, APP);
    const [snapshot, ...others] = take();
    expect([snapshot, others]).toMatchObject([{ type: "snapshot", id: 1, version: 1, data: {} }, []]);
    open();
    expect(take()).toMatchObject([{ type: "diff", version: 2, data: { bob: { status: "online" } } }]);
  });

  it("take up at a position, or answer with a snapshot where that is unknown", () => {
    const { subscriptions, open, take } = setUp();
    subscriptions.subscribe({ type: "subscribe", id: 1, filter: filterOf({}) }, APP);
    const { view } = take()[0] as { view: string };
    subscriptions.subscribe(
      { type: "subscribe", id: 2, filter: filterOf({}), since: { view, version: 1 } },
      APP,
    );
    expect(take()).toEqual([{ type: "resumed", id: 2, view, version: 1 }]);
    open();
    take();
    subscriptions.subscribe(
      { type: "subscribe", id: 3, filter: filterOf({}), since: { view: "other", version: 1 } },
      APP,
    );
    expect(take()).toMatchObject([{ type: "snapshot", id: 3, version: 2 }]);
  });

  it("are bounded, and one that has ended makes room", () => {
    const { subscriptions, take } = setUp();
    const subscribe = (id: number) =>
      subscriptions.subscribe({ type: "subscribe", id, filter: filterOf({ userIds: [`u${id}`] }) }, APP);
    for (const id of [1, 2, 3]) subscribe(id);
    const answers = take();
    expect(answers.map(({ type }) => type)).toEqual(["snapshot", "snapshot", "error"]);
    expect(answers[2]).toEqual({ type: "error", id: 3, code: "LIMIT_REACHED" });
    subscriptions.unsubscribe({ type: "unsubscribe", id: 4, view: answers[0]!.view as string }, 0);
    subscriptions.unsubscribe({ type: "unsubscribe", id: 5, view: "unknown" }, 0);
    subscribe(6);
    expect(take()).toMatchObject([
      { type: "ok", id: 4 },
      { type: "error", id: 5, code: "NOT_FOUND" },
      { type: "snapshot", id: 6 },
    ]);
  });

  it("are only for filters that the token allows, and end where a new token does not allow them", () => {
    const { presence, subscriptions, take } = setUp();
    subscriptions.subscribe({ type: "subscribe", id: 1, filter: filterOf({}) }, ALICE);
    subscriptions.query({ type: "query", id: 2, filter: filterOf({ userIds: ["bob"] }) }, ALICE);
    subscriptions.subscribe(
      { type: "subscribe", id: 3, filter: filterOf({ selectedConversationId: "c1" }) },
      ALICE,
    );
    expect(take()).toMatchObject([
      { id: 1, code: "FORBIDDEN" },
      { id: 2, code: "FORBIDDEN" },
      { id: 3, type: "snapshot" },
    ]);
    const less: Principal = {
      ...ALICE,
      grant: { kind: "some", userIds: new Set(), conversationIds: new Set(), counts: false },
    };
    subscriptions.recheck(less, 0);
    expect(take()).toMatchObject([{ type: "error", code: "FORBIDDEN", view: expect.any(String) }]);
    expect(presence.subscriptions).toBe(0);
  });

  it("all end with the socket, and leave no charge for what is not kept", () => {
    const { presence, subscriptions, take } = setUp();
    subscriptions.subscribe({ type: "subscribe", id: 1, filter: filterOf({}) }, APP);
    subscriptions.query({ type: "query", id: 2, filter: filterOf({}) }, APP);
    expect(take().map(({ type }) => type)).toEqual(["snapshot", "result"]);
    subscriptions.endAll(0);
    expect(presence.debugCounts()).toMatchObject({ subscriptions: 0, channels: 0, idle: 1 });
  });
});
