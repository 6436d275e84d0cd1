import { describe, expect, it } from "vitest";
import { App } from "../../../src/server/auth/app.ts";
import { AppPresence } from "../../../src/server/gateway/app-presence.ts";
import { httpSessionId } from "../../../src/server/gateway/http-session-id.ts";
import {
  DEFAULT_TTL_MS,
  endHttpSession,
  type HttpSessionWrite,
  MAX_HTTP_SESSIONS,
  writeHttpSession,
} from "../../../src/server/gateway/http-sessions.ts";
import { readSettings } from "../../../src/server/settings/settings.ts";
import { endlessTurn, testTelemetry } from "../../support/stubs.ts";

function setUp(env: Record<string, string> = {}) {
  const time = { now: 0 };
  const memory = { isShort: false };
  const { limits } = readSettings(env, { openFiles: 65_536, readFile: () => "" });
  let ids = 0;
  const presence = new AppPresence(new App({ id: "app", secrets: ["x"] }), {
    limits,
    telemetry: testTelemetry(),
    makeId: () => `s${ids++}`,
    clock: { now: () => time.now, wallNow: () => 1_780_000_000_000 + time.now },
    wakeBy: () => {},
    flushTurn: endlessTurn(),
    loadShedder: memory,
  });
  const write = (body: HttpSessionWrite = {}, key = "bot") =>
    writeHttpSession(presence, "alice", key, body, time.now);
  const session = (key = "bot") => presence.table.get(httpSessionId("alice", key));
  const pass = (ms: number) => {
    time.now += ms;
    presence.run(time.now);
  };
  return { presence, limits, time, memory, write, session, pass };
}

describe("a session that is written over HTTP", () => {
  it("is opened from the defaults, patched, and ends when it is not written any more", () => {
    const { presence, write, session, pass } = setUp();
    const sessionId = httpSessionId("alice", "bot");
    expect(write({ custom: { page: "x" } })).toEqual({
      ok: true,
      sessionId,
      isNew: true,
      ttlMs: DEFAULT_TTL_MS,
    });
    expect(session()).toMatchObject({
      kind: "widget",
      visible: true,
      hasFocus: false,
      custom: { page: "x" },
    });
    pass(DEFAULT_TTL_MS - 1);
    expect(write({ hasFocus: true, ttlMs: 1_000 })).toMatchObject({ ok: true, isNew: false, ttlMs: 1_000 });
    expect(session()).toMatchObject({ hasFocus: true, custom: { page: "x" } });
    pass(999);
    expect(session()).toBeDefined();
    pass(1);
    expect(session()).toBe(undefined);
    expect(presence.debugCounts()).toMatchObject({ sessions: 0, leases: 0, typing: 0 });
    expect(write()).toMatchObject({ isNew: true });
    expect(session()).toMatchObject({ custom: {} });
  });

  it("stops typing in time, unless that is written again", () => {
    const { limits, write, session, pass } = setUp();
    write({ isTyping: true });
    pass(limits.typingTimeoutMs - 1);
    write({});
    pass(1);
    expect(session()!.isTyping).toBe(false);
    write({ isTyping: true });
    pass(limits.typingTimeoutMs - 1);
    write({ isTyping: true });
    pass(1);
    expect(session()!.isTyping).toBe(true);
  });

  it("stays of the kind that it is, and a refused write does not prolong its life", () => {
    const { write, session, pass } = setUp();
    write({ kind: "background" });
    expect(write({})).toMatchObject({ ok: true });
    expect(session()!.kind).toBe("background");
    pass(DEFAULT_TTL_MS - 1);
    expect(write({ kind: "widget", hasFocus: true })).toMatchObject({ ok: false, field: "kind" });
    expect(write({ custom: { x: "x".repeat(4_096) } })).toMatchObject({
      ok: false,
      isLimit: false,
      field: "custom",
    });
    expect(session()).toMatchObject({ kind: "background", hasFocus: false, custom: {} });
    pass(1);
    expect(session()).toBe(undefined);
  });

  it("is ended once", () => {
    const { presence, time, write } = setUp();
    write();
    expect(endHttpSession(presence, "alice", "other", time.now)).toBe(false);
    expect(endHttpSession(presence, "bob", "bot", time.now)).toBe(false);
    expect(endHttpSession(presence, "alice", "bot", time.now)).toBe(true);
    expect(endHttpSession(presence, "alice", "bot", time.now)).toBe(false);
    expect(presence.debugCounts()).toMatchObject({ sessions: 0, leases: 0 });
  });

  it("is kicked like any other, and no socket can have it", () => {
    const { presence, time, write, session } = setUp();
    const { sessionId } = write() as { sessionId: string };
    presence.transact(time.now, (life) => {
      expect(life.resumable(sessionId, "alice", "widget")).toBe(undefined);
      expect(life.forceEndAll("alice")).toBe(1);
    });
    expect(session()).toBe(undefined);
  });
});

describe("the sessions of a user", () => {
  it("that are written over HTTP are at most so many", () => {
    const { write } = setUp();
    for (let i = 0; i < MAX_HTTP_SESSIONS; i++) expect(write({}, `k${i}`).ok).toBe(true);
    expect(write({}, "more")).toMatchObject({ ok: false, isLimit: true, field: "sessions" });
    expect(write({}, "k0").ok).toBe(true);
  });

  it("are at most so many over sockets and HTTP, and one that is lost makes room", () => {
    const { presence, time, write, session } = setUp({ MAX_SESSIONS_PER_USER: "2" });
    const connection = { onSessionTaken: () => {} };
    const other = presence.transact(time.now, (life) => life.open("alice", "widget", {}, connection));
    expect(write().ok).toBe(true);
    expect(write({}, "more")).toMatchObject({ ok: false, isLimit: true, field: "sessions" });
    presence.transact(time.now, (life) => life.markDisconnected(other));
    expect(write({ custom: { x: "x".repeat(4_096) } }, "more").ok).toBe(false);
    expect(presence.table.get(other.sessionId)).toBe(other);
    expect(write({}, "more").ok).toBe(true);
    expect(presence.table.get(other.sessionId)).toBe(undefined);
    expect(session()).toBeDefined();
    // They are not lost, so no socket ends them to make room.
    presence.transact(time.now, (life) => expect(life.sessionsToEvict("alice")).toBe("full"));
  });

  it("share the room for custom", () => {
    const { write } = setUp();
    const custom = Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`k${i}`, "x".repeat(500)]));
    let written = 0;
    while (write({ custom }, `k${written}`).ok) written++;
    expect(written).toBe(Math.floor(65_536 / Buffer.byteLength(JSON.stringify(custom))));
    expect(write({ custom }, "more")).toMatchObject({ ok: false, isLimit: true, field: "custom" });
  });

  it("are not more while memory is short", () => {
    const { memory, write } = setUp();
    write();
    memory.isShort = true;
    expect(write({}, "more")).toMatchObject({ ok: false, isLimit: true, field: "sessions" });
    expect(write({ hasFocus: true })).toMatchObject({ ok: true, isNew: false });
  });
});
