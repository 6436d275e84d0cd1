import { describe, expect, it } from "vitest";
import type { Session } from "../../../src/core/sessions/session.ts";
import { MAX_DUE_PER_TURN } from "../../../src/server/gateway/gateway-config.ts";
import { SessionDeadlines } from "../../../src/server/gateway/session-deadlines.ts";

const session = (sessionId: string) => ({ sessionId }) as Session;

function setUp() {
  const wakeUps: number[] = [];
  const errors: unknown[] = [];
  const deadlines = new SessionDeadlines(
    { typingTimeoutMs: 100, resumeWindowMs: 1_000 },
    (due) => void wakeUps.push(due),
    (error) => void errors.push(error),
  );
  const done: string[] = [];
  const sessions = {
    profiles: {
      expireStatus: (userId: string) => void done.push(`${userId}'s status is over`),
      forget: (userId: string) => void done.push(`${userId} is forgotten`),
    },
    stopTyping: ({ sessionId }: Session) => void done.push(`${sessionId} stops typing`),
    end: ({ sessionId }: Session, cause: string) => void done.push(`${sessionId} ends: ${cause}`),
  };
  const run = (now: number, canExpire = true) => {
    deadlines.run(now, canExpire, sessions);
    return done.splice(0);
  };
  return { deadlines, wakeUps, errors, sessions, run };
}

describe("the deadlines of sessions", () => {
  const [a, b, c] = [session("a"), session("b"), session("c")];

  it("wake the node, and are due in their time", () => {
    const { deadlines, wakeUps, run } = setUp();
    deadlines.startTyping(a, 0);
    deadlines.startResumeWindow(b, 0);
    deadlines.endSoon(c, 10);
    expect(wakeUps).toEqual([100, 1_000, 10]);
    expect(deadlines.nextDueAt(true)).toBe(10);
    expect(run(99)).toEqual(["c ends: closed"]);
    expect(run(100)).toEqual(["a stops typing"]);
    expect(run(999)).toEqual([]);
    expect(run(1_000)).toEqual(["b ends: timeout"]);
    expect(deadlines.nextDueAt(true)).toBe(Number.POSITIVE_INFINITY);
    expect(deadlines.debugCounts()).toEqual({
      typing: 0,
      disconnected: 0,
      ending: 0,
      statuses: 0,
      forgetting: 0,
      leases: 0,
    });
  });

  it("of statuses come before those of sessions in one turn, and users are forgotten last", () => {
    const { deadlines, run } = setUp();
    deadlines.startForgetting("bob", 100);
    deadlines.startLease(b, 200);
    deadlines.startResumeWindow(a, 0);
    deadlines.startStatus("alice", 900);
    expect(run(1_000)).toEqual([
      "alice's status is over",
      "a ends: timeout",
      "b ends: timeout",
      "bob is forgotten",
    ]);
  });

  it("let no disconnected session end while other nodes may have resumed it", () => {
    const { deadlines, run } = setUp();
    deadlines.startResumeWindow(a, 0);
    expect(deadlines.disconnectedForMs(a, 400)).toBe(400);
    expect(deadlines.nextDueAt(false)).toBe(Number.POSITIVE_INFINITY);
    expect(run(5_000, false)).toEqual([]);
    expect(run(5_000)).toEqual(["a ends: timeout"]);
  });

  it("are gone for a session that was resumed", () => {
    const { deadlines, run } = setUp();
    deadlines.startResumeWindow(a, 0);
    deadlines.endSoon(b, 0);
    expect(deadlines.isEnding(b)).toBe(true);
    deadlines.resume(a);
    deadlines.resume(b);
    expect([deadlines.disconnectedForMs(a, 1), deadlines.isEnding(b)]).toEqual([undefined, false]);
    expect(run(5_000)).toEqual([]);
  });

  it("are handled for the other sessions where one fails", () => {
    const { deadlines, errors, sessions, run } = setUp();
    for (const each of [a, b]) deadlines.endSoon(each, 0);
    const { end } = sessions;
    sessions.end = (each, cause) => {
      if (each === a) throw new Error("a defect");
      end(each, cause);
    };
    expect(run(0)).toEqual(["b ends: closed"]);
    expect(errors).toHaveLength(1);
  });

  it("are handled a bounded number at a time", () => {
    const { deadlines, run } = setUp();
    for (let i = 0; i < MAX_DUE_PER_TURN + 5; i++) deadlines.startTyping(session(`s${i}`), 0);
    expect([run(100).length, run(100).length, run(100).length]).toEqual([MAX_DUE_PER_TURN, 5, 0]);
  });
});
