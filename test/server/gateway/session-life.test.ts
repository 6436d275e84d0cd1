import { describe, expect, it } from "vitest";
import type { Session } from "../../../src/core/sessions/session.ts";
import { App } from "../../../src/server/auth/app.ts";
import { AppPresence } from "../../../src/server/gateway/app-presence.ts";
import type { ReplicationSink } from "../../../src/server/gateway/replication.ts";
import type { SessionLife } from "../../../src/server/gateway/session-life.ts";
import { readSettings } from "../../../src/server/settings/settings.ts";
import { endlessTurn, testTelemetry } from "../../support/stubs.ts";

const { limits } = readSettings({ MAX_SESSIONS_PER_USER: "4" }, { openFiles: 65_536, readFile: () => "" });

function setUp() {
  const time = { now: 1_000 };
  const written: string[] = [];
  const write = (verb: string) => (session: Session) => void written.push(`${verb} ${session.sessionId}`);
  const replicationSink: ReplicationSink = {
    opened: write("opened"),
    changed: write("changed"),
    takenOver: write("takenOver"),
    ended: write("ended"),
    nodeNumber: 0,
    profileChanged: () => undefined,
    canExpireSessions: () => true,
  };
  let ids = 0;
  const presence = new AppPresence(new App({ id: "app", secrets: ["x"] }), {
    limits,
    telemetry: testTelemetry(),
    makeId: () => `s${ids++}`,
    clock: { now: () => time.now, wallNow: () => time.now },
    wakeBy: () => {},
    flushTurn: endlessTurn(),
    replicationSink,
  });
  const transact = <T>(act: (sessions: SessionLife) => T) => presence.transact(time.now, act);
  const lost: string[] = [];
  const connect = (name: string) => ({
    onSessionTaken: ({ sessionId }: Session, cause: string) =>
      void lost.push(`${name}: ${sessionId} ${cause}`),
  });
  const open = (patch = {}, connection = connect("tab")) =>
    transact((sessions) => sessions.open("alice", "widget", patch, connection));
  return { presence, time, transact, open, connect, lost, written };
}

describe("a session", () => {
  it("is opened with its patch, replicated, and ended", () => {
    const { presence, transact, open, written } = setUp();
    const session = open({ hasFocus: true });
    expect(session).toMatchObject({ hasFocus: true, ownership: { owner: undefined, epoch: 0 } });
    transact((sessions) => sessions.end(session, "closed"));
    expect(written).toEqual(["opened s0", "ended s0"]);
    expect(presence.debugCounts()).toMatchObject({ sessions: 0, users: 0, typing: 0 });
  });

  it("that is taken over has a new epoch, and its former connection is told", () => {
    const { transact, open, connect, lost, written } = setUp();
    const session = open();
    const other = connect("other tab");
    transact((sessions) => sessions.takeOver(session, other));
    expect(session).toMatchObject({ connection: other, ownership: { epoch: 1 } });
    transact((sessions) => sessions.takeOver(session, other));
    expect(lost).toEqual(["tab: s0 replaced"]);
    expect(written).toEqual(["opened s0", "takenOver s0", "takenOver s0"]);
  });

  it("stops typing by itself, and later each time that the client says it types", () => {
    const { presence, time, transact, open } = setUp();
    const session = open({ isTyping: true });
    time.now += limits.typingTimeoutMs - 1;
    transact((sessions) => sessions.update(session, { isTyping: true }));
    time.now += 2;
    presence.run(time.now);
    expect(session.isTyping).toBe(true);
    time.now += limits.typingTimeoutMs;
    presence.run(time.now);
    expect(session.isTyping).toBe(false);
  });

  it("that is disconnected ends with its resume window, unless it is taken over before", () => {
    const { presence, time, transact, open, connect } = setUp();
    const [ended, resumed] = [open(), open()];
    for (const each of [ended, resumed]) transact((sessions) => sessions.markDisconnected(each));
    expect(transact((sessions) => sessions.resumable("s1", "alice", "widget"))).toBe(resumed);
    expect(transact((sessions) => sessions.resumable("s1", "bob", "widget"))).toBeUndefined();
    expect(transact((sessions) => sessions.resumable("s1", "alice", "background"))).toBeUndefined();
    transact((sessions) => sessions.takeOver(resumed, connect("again")));
    time.now += limits.resumeWindowMs;
    presence.run(time.now);
    expect([presence.table.get(ended.sessionId), presence.table.get(resumed.sessionId)]).toEqual([
      undefined,
      resumed,
    ]);
  });
});

describe("one more session than a user may have", () => {
  it("takes the place of the one that was disconnected for longest", () => {
    const { time, transact, open } = setUp();
    const sessions = [open(), open(), open(), open()];
    expect(transact((life) => life.sessionsToEvict("alice"))).toBe("full");
    for (const each of [sessions[2]!, sessions[1]!]) {
      transact((life) => life.markDisconnected(each));
      time.now += 10;
    }
    expect(transact((life) => life.sessionsToEvict("alice"))).toEqual([sessions[2]]);
    // One whose client has left for good goes before all others.
    transact((life) => life.endLater(sessions[3]!));
    expect(transact((life) => life.sessionsToEvict("alice"))).toEqual([sessions[3]]);
  });

  it("needs nobody's place while there is room", () => {
    const { transact, open } = setUp();
    expect(transact((life) => life.sessionsToEvict("alice"))).toEqual([]);
    for (let i = 0; i < 3; i++) open();
    expect(transact((life) => life.sessionsToEvict("alice"))).toEqual([]);
  });
});

it("other nodes hear of a disconnected session only where the user may soon need its place", () => {
  const { transact, open, written } = setUp();
  const first = open();
  transact((sessions) => sessions.markDisconnected(first));
  expect([first.ownership!.lostAt, written]).toEqual([undefined, ["opened s0"]]);
  const second = open();
  transact((sessions) => sessions.markDisconnected(second));
  expect([second.ownership!.lostAt, written.at(-1)]).toEqual([1_000, "changed s1"]);
});

it("a user's sessions are all ended by a back end, and their connections told", () => {
  const { presence, transact, open, lost } = setUp();
  for (let i = 0; i < 3; i++) open();
  expect(transact((sessions) => sessions.forceEndAll("alice"))).toBe(3);
  expect(transact((sessions) => sessions.forceEndAll("alice"))).toBe(0);
  expect(lost).toEqual(["tab: s0 kicked", "tab: s1 kicked", "tab: s2 kicked"]);
  expect(presence.table.counts()).toMatchObject({ users: 0, sessions: 0 });
});
