import { expect, test } from "vitest";
import {
  comparePresences,
  lastingDifferences,
  type Presences,
} from "../../../src/cli/compare/compare-presences.ts";
import type { PresenceSession, PresenceValue } from "../../../src/client/types.ts";
import { Random } from "../../support/random.ts";
import { SEED } from "../../support/seed.ts";

let made = 0;
const session = (fields: Partial<PresenceSession> = {}): PresenceSession => ({
  selectedConversationId: null,
  custom: {},
  hasFocus: false,
  isTyping: false,
  // Never the same, as those of two systems.
  sessionId: `s${made++}`,
  ...fields,
});
const user = (
  widgets: PresenceSession[] = [session()],
  more: Partial<PresenceValue> = {},
): PresenceValue => ({
  status: "online",
  backgroundSessions: [],
  widgets,
  ...more,
});
const differences = (talkjs: Presences, gateway: Presences) => comparePresences(talkjs, gateway).differences;

test("the order of users, sessions and custom fields means nothing, nor do ids of sessions", () => {
  const c1 = { selectedConversationId: "c1" };
  const talkjs = {
    alice: user([session(c1), session({ custom: { a: "1", b: "2" } })]),
    bob: user([], { backgroundSessions: [session(), session(), session({ isTyping: true })] }),
  };
  const gateway = {
    bob: user([], { backgroundSessions: [session({ isTyping: true }), session(), session()] }),
    alice: user([session({ custom: { b: "2", a: "1" } }), session(c1)]),
  };
  expect(comparePresences(talkjs, gateway)).toEqual({ alike: 2, differences: [] });
});

test("users who are in one answer only", () => {
  const [alice, proto, carol] = [user(), user(), user()];
  const talkjs = JSON.parse(JSON.stringify({ alice, x: proto }).replace('"x"', '"__proto__"'));
  expect(differences(talkjs, { carol })).toEqual([
    { userId: "__proto__", field: "user", talkjs: proto, gateway: null },
    { userId: "alice", field: "user", talkjs: alice, gateway: null },
    { userId: "carol", field: "user", talkjs: null, gateway: carol },
  ]);
  expect(differences({}, { constructor: carol })).toHaveLength(1);
});

test("fields that differ, of the sessions that are left when the equal ones are put together", () => {
  const talkjs = user([session(), session({ hasFocus: true, selectedConversationId: "c1" })]);
  const gateway = user([session({ selectedConversationId: "c2", custom: { a: "b" } }), session()], {
    status: "busy",
  });
  expect(differences({ alice: talkjs }, { alice: gateway })).toEqual([
    { userId: "alice", field: "status", talkjs: "online", gateway: "busy" },
    { userId: "alice", field: "widgets.selectedConversationId", talkjs: "c1", gateway: "c2" },
    { userId: "alice", field: "widgets.hasFocus", talkjs: true, gateway: false },
    { userId: "alice", field: "widgets.custom", talkjs: {}, gateway: { a: "b" } },
  ]);
});

test("sessions that only one of them has", () => {
  const { sessionId: _, ...bare } = session();
  const found = differences(
    { alice: user([session(), session()]) },
    { alice: user([session()], { backgroundSessions: [session()] }) },
  );
  expect(found).toEqual([
    { userId: "alice", field: "widgets", talkjs: bare, gateway: null },
    { userId: "alice", field: "backgroundSessions", talkjs: null, gateway: bare },
  ]);
});

test("differences that last are those that were there before, too", () => {
  const before = comparePresences({ alice: user(), bob: user() }, { carol: user() });
  const now = comparePresences({ alice: user(), dave: user() }, { carol: user(), dave: user(), eve: user() });
  const lasting = lastingDifferences(before, now);
  expect(lasting.differences.map(({ userId }) => userId)).toEqual(["alice", "carol"]);
  // Dave is alike, and eve counts as alike, because she differs for a moment only.
  expect(lasting.alike).toBe(2);
});

test("a copy in any order is alike, and any change of it is found", () => {
  const random = new Random(SEED);
  const anySession = () =>
    session({
      selectedConversationId: random.pick([null, "c1", "c2"]),
      hasFocus: random.oneIn(2),
      isTyping: random.oneIn(2),
      custom: random.oneIn(2) ? {} : { team: random.pick(["a", "b"]) },
    });
  const many = () => Array.from({ length: random.below(4) }, anySession);
  const again = (list: readonly PresenceSession[]) =>
    random.shuffle(list).map((each) => session({ ...each, sessionId: "x" }));
  for (let i = 0; i < 300; i++) {
    const value = user([anySession(), ...many()], { backgroundSessions: many() });
    const copy = {
      ...value,
      widgets: again(value.widgets),
      backgroundSessions: again(value.backgroundSessions),
    };
    expect(differences({ alice: value }, { alice: copy })).toEqual([]);
    const [first, ...rest] = copy.widgets;
    const other = random.pick<Partial<PresenceSession>>([
      { selectedConversationId: "c3" },
      { hasFocus: !first!.hasFocus },
      { isTyping: !first!.isTyping },
      { custom: { team: "c" } },
    ]);
    const changed = { ...copy, widgets: [{ ...first!, ...other }, ...rest] };
    expect(differences({ alice: value }, { alice: changed }).length).toBeGreaterThan(0);
  }
});
