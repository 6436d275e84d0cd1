import { describe, expect, it } from "vitest";
import { MAX_USER_CUSTOM_BYTES } from "../../../src/protocol/rules.ts";
import { App } from "../../../src/server/auth/app.ts";
import { AppPresence } from "../../../src/server/gateway/app-presence.ts";
import type { Reply } from "../../../src/server/gateway/reply.ts";
import { SocketSessions } from "../../../src/server/gateway/socket-sessions.ts";
import { readSettings } from "../../../src/server/settings/settings.ts";
import { endlessTurn, testTelemetry } from "../../support/stubs.ts";

const MAX_SESSIONS = 20;
const { limits } = readSettings(
  { MAX_SESSIONS_PER_USER: String(MAX_SESSIONS) },
  { openFiles: undefined, readFile: () => "" },
);
const connection = { onSessionTaken: () => {} };
/** Each has 4,000 bytes, so that all that a user may have are too large together. */
const custom = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`k${i}`, "x".repeat(492)]));

/**
 * A user who has more than the bounds allow: nodes that did not hear of each other in time have let them in.
 */
function setUp(count = MAX_SESSIONS) {
  let ids = 0;
  const presence = new AppPresence(new App({ id: "app", secrets: ["x"] }), {
    limits,
    telemetry: testTelemetry(),
    makeId: () => `id${ids++}`,
    clock: { now: () => 0, wallNow: () => 0 },
    wakeBy: () => {},
    flushTurn: endlessTurn(),
  });
  const sessions = Array.from({ length: count }, () =>
    presence.transact(0, (sessions) => sessions.open("alice", "widget", { custom }, connection)),
  );
  const said: unknown[] = [];
  const reply: Reply = {
    send: (message) => said.push(message),
    ok: () => said.push("ok"),
    error: (_id, code) => said.push(code),
    badMessage: () => said.push("BAD_MESSAGE"),
  };
  const held = new SocketSessions(presence, reply, 100);
  const open = (fields: { sessionId?: string; custom?: Record<string, string> }) => {
    held.open({ type: "open", kind: "widget", ...fields }, { kind: "user", userId: "alice" } as never, 0);
    return said.pop();
  };
  const user = () => presence.table.user("alice")!;
  return { presence, sessions, open, user };
}

describe("a user with more custom fields than a user may have", () => {
  it("opens no session with custom fields in place of a disconnected one that had as many", () => {
    const { presence, sessions, open, user } = setUp();
    for (const session of sessions) presence.transact(0, (sessions) => sessions.markDisconnected(session));
    const before = user().customBytes;
    expect(before).toBeGreaterThan(MAX_USER_CUSTOM_BYTES);
    expect(open({ custom })).toBe("LIMIT_REACHED");
    expect(user().customBytes).toBe(before);
  });

  it("resumes a session once disconnected ones have made room, those disconnected for longest first", () => {
    const { presence, sessions, open, user } = setUp();
    const tooMany = Math.ceil((user().customBytes - MAX_USER_CUSTOM_BYTES) / sessions[0]!.customBytes);
    for (const [i, session] of sessions.entries())
      presence.transact(i, (sessions) => sessions.markDisconnected(session));
    expect(open({ sessionId: sessions[1]!.sessionId })).toMatchObject({ resumed: true });
    const ended = sessions.filter(({ sessionId }) => presence.table.get(sessionId) === undefined);
    expect(ended).toEqual(sessions.filter((_, i) => i !== 1).slice(0, tooMany));
    expect(user().customBytes).toBeLessThanOrEqual(MAX_USER_CUSTOM_BYTES);
  });

  it("resumes no session while none is disconnected", () => {
    const { sessions, open, user } = setUp();
    expect(open({ sessionId: sessions[0]!.sessionId })).toBe("LIMIT_REACHED");
    expect(user().sessions).toHaveLength(MAX_SESSIONS);
    expect(sessions[0]!.connection).toBe(connection);
  });
});
