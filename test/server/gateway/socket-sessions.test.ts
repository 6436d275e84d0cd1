import { describe, expect, it } from "vitest";
import { MAX_USER_CUSTOM_BYTES } from "../../../src/protocol/rules.ts";
import type { SessionKind } from "../../../src/protocol/wire.ts";
import type { Reply } from "../../../src/server/gateway/reply.ts";
import { SocketSessions } from "../../../src/server/gateway/socket-sessions.ts";
import { testPresence } from "../../support/presence.ts";

const MAX_SESSIONS = 20;
const connection = { onSessionTaken: () => {} };
/** Each has 4,000 bytes, so that all that a user may have are too large together. */
const custom = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`k${i}`, "x".repeat(492)]));

/**
 * A user who has more than the bounds allow: nodes that did not hear of each other in time have let them in.
 */
function setUp(count = MAX_SESSIONS) {
  const { presence } = testPresence({ env: { MAX_SESSIONS_PER_USER: String(MAX_SESSIONS) } });
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
  const connect = () => new SocketSessions(presence, reply, 100);
  const held = connect();
  const open = (
    fields: { sessionId?: string; kind?: SessionKind; custom?: Record<string, string> },
    { socket = held, userId = "alice" } = {},
  ) => {
    socket.open({ type: "open", kind: "widget", ...fields }, { kind: "user", userId } as never, 0);
    return said.pop() as { sessionId: string; resumed: boolean };
  };
  const close = (sessionId: string, socket = held) => {
    socket.close({ type: "close", id: 1, sessionId }, 0);
    return said.pop();
  };
  const user = () => presence.table.user("alice")!;
  return { presence, sessions, held, connect, open, close, user };
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

describe("a session with a name", () => {
  const sessionId = "new:0.5";

  it("is opened once, with an id of the gateway's, on whichever socket the name comes again", () => {
    const { held, connect, open, user } = setUp(0);
    const first = open({ sessionId });
    expect(first).toMatchObject({ resumed: false, sessionId: expect.stringMatching(/^[\w-]{21}$/) });
    held.release(false, 0);
    const socket = connect();
    expect(open({ sessionId }, { socket })).toEqual({ ...first, resumed: true });
    expect(user().sessions).toMatchObject([{ sessionId: first.sessionId, connection: socket }]);
    expect(open({ sessionId: first.sessionId })).toEqual({ ...first, resumed: true });
  });

  it("is another one for another user, kind or name, and without a name", () => {
    const { open, user } = setUp(0);
    const ids = [
      open({ sessionId }),
      open({ sessionId: "new:" }),
      open({ sessionId, kind: "background" }),
      open({ sessionId }, { userId: "bob" }),
      open({ sessionId: "a" }),
      open({ sessionId: "a" }),
      open({}),
    ].map((opened) => opened.sessionId);
    expect(new Set(ids).size).toBe(7);
    expect(user().sessions).toHaveLength(6);
  });

  it("that has ended is opened by it as the same session, and closed again though no answer comes", () => {
    const { connect, open, close, user } = setUp(0);
    const { sessionId: id } = open({ sessionId });
    open({});
    close(id);
    for (let lost = 0; lost < 2; lost++) {
      const socket = connect();
      expect(open({ sessionId }, { socket })).toMatchObject({ sessionId: id, resumed: false });
      expect(close(sessionId, socket)).toMatchObject({ type: "closed", sessionId: id });
      expect(user().sessions).toHaveLength(1);
    }
  });

  it("is closed by its name while it is the latest of its socket", () => {
    const { connect, open, close, presence } = setUp(0);
    expect(close(sessionId)).toBe("NOT_FOUND");
    const first = open({ sessionId });
    expect(close(sessionId, connect())).toBe("NOT_FOUND");
    expect(close(sessionId)).toMatchObject({ type: "closed", sessionId: first.sessionId });
    expect(close(sessionId)).toBe("NOT_FOUND");
    open({ sessionId });
    open({});
    expect(close(sessionId)).toBe("NOT_FOUND");
    expect(presence.table.user("alice")!.sessions).toHaveLength(2);
  });
});
