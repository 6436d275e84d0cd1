import { expect, it } from "vitest";
import { App } from "../../../src/server/auth/app.ts";
import { AppPresence } from "../../../src/server/gateway/app-presence.ts";
import { lastSeenOf } from "../../../src/server/gateway/last-seen.ts";
import { readSettings } from "../../../src/server/settings/settings.ts";
import { endlessTurn, testTelemetry } from "../../support/stubs.ts";

const START = 1_780_000_000_000;
const connection = { onSessionTaken: () => {} };

function setUp({ lastSeen = true, env = {} as Record<string, string> } = {}) {
  const time = { now: 0 };
  const { limits } = readSettings(env, { openFiles: 65_536, readFile: () => "" });
  let ids = 0;
  const presence = new AppPresence(new App({ id: "app", secrets: ["x"], lastSeen }), {
    limits,
    telemetry: testTelemetry(),
    makeId: () => `s${ids++}`,
    clock: { now: () => time.now, wallNow: () => START + time.now },
    wakeBy: () => {},
    flushTurn: endlessTurn(),
  });
  const at = <T>(now: number, act: Parameters<typeof presence.transact<T>>[1]): T => {
    time.now = now;
    return presence.transact(now, act);
  };
  return { presence, time, at, of: (...userIds: string[]) => lastSeenOf(presence, userIds, time.now) };
}

it("an app that does not ask for it has none", () => {
  const { at, of } = setUp({ lastSeen: false });
  at(0, (sessions) => sessions.open("alice", "widget", {}, connection));
  expect(of("alice")).toBeUndefined();
});

it("others see a status, or when the last session ended; who was never seen is left out", () => {
  const { at, of } = setUp();
  const session = at(0, (sessions) => sessions.open("__proto__", "widget", {}, connection));
  at(1, (sessions) => sessions.open("bob", "background", { isIdle: true }, connection));
  expect(of("__proto__", "bob", "nobody")).toEqual(
    Object.fromEntries([
      ["__proto__", { status: "online" }],
      ["bob", { status: "idle" }],
    ]),
  );
  at(5, (sessions) => sessions.end(session, "closed"));
  expect(Object.entries(of("__proto__")!)).toEqual([["__proto__", { lastSeenAt: START + 5 }]]);
});

it("an invisible user was last seen when they became invisible", () => {
  const { at, of } = setUp();
  const session = at(0, (sessions) => sessions.open("alice", "widget", {}, connection));
  at(10, ({ profiles }) => profiles.declare("alice", { availability: "invisible" }));
  at(20, (sessions) => sessions.update(session, { hasFocus: true }));
  const hidden = { alice: { lastSeenAt: START + 10 } };
  expect(of("alice")).toEqual(hidden);
  at(30, (sessions) => sessions.end(session, "closed"));
  expect(of("alice")).toEqual(hidden);
  at(40, (sessions) => sessions.open("alice", "widget", {}, connection));
  expect(of("alice")).toEqual(hidden);
  at(50, ({ profiles }) => profiles.declare("alice", { availability: "busy" }));
  expect(of("alice")).toEqual({ alice: { status: "busy" } });
});

it("a user who was erased was never seen", () => {
  const { at, of, presence } = setUp();
  at(0, (sessions) => sessions.open("alice", "widget", {}, connection));
  expect(at(1, (sessions) => sessions.erase("alice"))).toBe(1);
  expect(of("alice")).toEqual({});
  expect(presence.table.debugCounts()).toMatchObject({ profiles: 0, users: 0 });
});
