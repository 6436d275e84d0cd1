import { expect, it } from "vitest";
import { NEW_SESSION, type RemoteSession, type Session } from "../../../src/core/sessions/session.ts";
import { App } from "../../../src/server/auth/app.ts";
import { AppPresence } from "../../../src/server/gateway/app-presence.ts";
import { httpSessionId } from "../../../src/server/gateway/http-session-id.ts";
import type { SessionLife } from "../../../src/server/gateway/session-life.ts";
import { readSettings } from "../../../src/server/settings/settings.ts";
import { endlessTurn, testTelemetry } from "../../support/stubs.ts";

const { limits } = readSettings({}, { openFiles: 65_536, readFile: () => "" });

const remote = (fields: Partial<RemoteSession> = {}): RemoteSession => ({
  userId: "alice",
  kind: "widget",
  opened: 500,
  epoch: 1,
  lostAt: undefined,
  state: NEW_SESSION,
  ...fields,
});

function setUp() {
  const time = { now: 1_000 };
  const ignore = () => {};
  const presence = new AppPresence(new App({ id: "app", secrets: ["x"] }), {
    limits,
    telemetry: testTelemetry(),
    makeId: () => "own",
    clock: { now: () => time.now, wallNow: () => time.now },
    wakeBy: ignore,
    flushTurn: endlessTurn(),
    replicationSink: {
      opened: ignore,
      changed: ignore,
      takenOver: ignore,
      ended: ignore,
      nodeNumber: 0,
      profileChanged: () => undefined,
      canExpireSessions: () => true,
    },
  });
  const transact = <T>(act: (sessions: SessionLife) => T) => presence.transact(time.now, act);
  const lost: string[] = [];
  const connection = { onSessionTaken: (_session: Session, cause: string) => void lost.push(cause) };
  const open = () => transact((sessions) => sessions.open("alice", "widget", {}, connection));
  const apply = (id: string, session: RemoteSession) =>
    transact(({ replicated }) => replicated.applyRemote(id, session, "other"));
  return { presence, time, transact, lost, open, apply };
}

it("a session of another node is shown, follows its node, and ends with it", () => {
  const { presence, transact, apply } = setUp();
  apply("theirs", remote());
  const session = presence.table.get("theirs")!;
  expect(session).toMatchObject({ connection: undefined, ownership: { owner: "other", opened: 500 } });
  apply("theirs", remote({ epoch: 2, state: { ...NEW_SESSION, hasFocus: true } }));
  expect(session).toMatchObject({ hasFocus: true, ownership: { epoch: 2 } });
  transact(({ replicated }) => replicated.applyRemoteEnd(session, "closed"));
  expect(presence.table.get("theirs")).toBeUndefined();
});

it("a session that another node takes over is taken from its connection here", () => {
  const { presence, lost, open, apply } = setUp();
  const session = open();
  apply("own", remote());
  expect([lost, session.connection, session.ownership!.owner]).toEqual([["replaced"], undefined, "other"]);
  apply("own", remote());
  expect(lost).toEqual(["replaced"]);
  expect(presence.debugCounts()).toMatchObject({ disconnected: 0, typing: 0 });
});

it("a description of another user's session under the same id is ignored", () => {
  const { presence, lost, open, apply } = setUp();
  const session = open();
  apply("own", remote({ userId: "mallory" }));
  apply("own", remote({ kind: "background" }));
  expect([lost, session.ownership!.owner]).toEqual([[], undefined]);
  expect(presence.table.user("mallory")).toBeUndefined();
});

it.each([
  ["kicked", "kicked"],
  ["timeout", "replaced"],
] as const)("a session held here that ends elsewhere with %j is lost as %j", (cause, told) => {
  const { transact, lost, open } = setUp();
  const session = open();
  transact(({ replicated }) => replicated.applyRemoteEnd(session, cause));
  expect(lost).toEqual([told]);
});

it("a session that comes back to this node waits to be resumed", () => {
  const { presence, time, transact, open, apply } = setUp();
  const session = open();
  apply("own", remote());
  transact(({ replicated }) => replicated.reclaim(session));
  expect([session.ownership!.owner, presence.debugCounts().disconnected]).toEqual([undefined, 1]);
  presence.run(time.now + limits.resumeWindowMs);
  expect(presence.table.get("own")).toBeUndefined();
});

it("a session whose owner was lost counts as disconnected, and stops typing in time", () => {
  const { presence, time, transact, apply } = setUp();
  apply("theirs", remote({ state: { ...NEW_SESSION, isTyping: true } }));
  const session = presence.table.get("theirs")!;
  transact(({ replicated }) => replicated.onOwnerLost(session));
  expect(session.ownership).toMatchObject({ owner: "other", lostAt: 1_000 });
  presence.run(time.now + limits.typingTimeoutMs);
  expect(session.isTyping).toBe(false);
});

it("a session with the id of an earlier one takes its place, and nobody sees the user leave", () => {
  const { presence, apply } = setUp();
  const id = httpSessionId("alice", "bot");
  apply(id, remote({ epoch: 7 }));
  apply("other", remote({ opened: 600 }));
  const earlier = presence.table.get(id)!;
  const order = () => presence.table.user("alice")!.sessions.map(({ sessionId }) => sessionId);
  expect(order()).toEqual([id, "other"]);
  apply(id, remote({ epoch: 8, state: { ...NEW_SESSION, hasFocus: true } }));
  expect(presence.table.get(id)).toBe(earlier);
  apply(id, remote({ epoch: 9, opened: 700 }));
  expect(presence.table.get(id)).not.toBe(earlier);
  expect(order()).toEqual(["other", id]);
  apply(id, remote({ epoch: 10, opened: 700, kind: "background" }));
  expect(presence.table.get(id)).toMatchObject({ kind: "background", ownership: { epoch: 10 } });
});
