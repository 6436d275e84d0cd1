import { describe, expect, it } from "vitest";
import { APP_ID, type FakeNode, LEASE_MS, MAX_SESSIONS, WINDOW_MS } from "./fake-node.ts";
import { worldOf } from "./world.ts";

describe("nodes that share a log", () => {
  describe("count the sessions of a user on all of them", () => {
    /** A user with as many sessions as a user may have, all on the first node. */
    const full = () => {
      const world = worldOf(2);
      const [a, b] = world.nodes;
      const ids = Array.from({ length: MAX_SESSIONS }, () => a!.open("alice", "widget", {}));
      world.heal(40);
      return { world, a: a!, b: b!, ids };
    };
    const lose = (node: FakeNode, sessionId: string) => {
      node.socket.held.delete(sessionId);
      node.transact((sessions) => sessions.markDisconnected(node.appPresence.table.get(sessionId)!));
    };

    const NOTHING = { evicted: [] };

    it("and refuse one more, whichever it comes to", () => {
      const { world, a, b } = full();
      expect([a.openWithin("alice", "widget", {}), b.openWithin("alice", "widget", {})]).toEqual([
        NOTHING,
        NOTHING,
      ]);
      expect(b.openWithin("bob", "widget", {}).opened).toBeDefined();
      world.heal(40);
      world.compare();
    });

    it("and make room by the one that was lost the longest ago, on another node too", () => {
      const { world, a, b, ids } = full();
      lose(a, ids[3]!);
      world.heal(100);
      lose(a, ids[1]!);
      world.heal(100);
      expect(b.appPresence.table.get(ids[3]!)!.ownership!.lostAt).toBe(
        a.appPresence.table.get(ids[3]!)!.ownership!.lostAt,
      );
      expect(b.openWithin("alice", "widget", {})).toMatchObject({ evicted: [ids[3]] });
      expect(a.appPresence.table.get(ids[3]!)).toBeDefined();
      world.heal(100);
      expect(a.appPresence.table.get(ids[3]!)).toBeUndefined();
      expect(a.appPresence.debugCounts().disconnected).toBe(1);
      expect(b.openWithin("alice", "widget", {})).toMatchObject({ evicted: [ids[1]] });
      world.heal(100);
      expect(b.openWithin("alice", "widget", {})).toEqual(NOTHING);
      world.compare();
    });

    it("and do not count resumed sessions as lost", () => {
      const { world, a, b, ids } = full();
      for (const sessionId of ids) lose(a, sessionId);
      world.heal(100);
      expect(a.resume(ids[0]!, {})).toBe(true);
      expect(b.resume(ids[1]!, {})).toBe(true);
      world.heal(100);
      const lostAt = (node: FakeNode, i: number) => node.appPresence.table.get(ids[i]!)!.ownership!.lostAt;
      for (const node of world.nodes) {
        expect([lostAt(node, 0), lostAt(node, 1)]).toEqual([undefined, undefined]);
        expect(lostAt(node, 2)).toBeTypeOf("number");
      }
      for (let i = 2; i < MAX_SESSIONS; i++) {
        expect(b.openWithin("alice", "widget", {})).toMatchObject({ evicted: [ids[i]] });
      }
      expect(b.openWithin("alice", "widget", {})).toEqual(NOTHING);
      world.heal(100);
      world.compare();
    });

    it("and take for lost those of a node that is no more", () => {
      const { world, a, b, ids } = full();
      world.kill(a);
      expect(b.openWithin("alice", "widget", {})).toEqual(NOTHING);
      world.heal(LEASE_MS + 1_000);
      expect(ids).toContain(b.openWithin("alice", "widget", {}).evicted[0]);
      world.heal(100);
      expect(b.appPresence.table.user("alice")!.sessions).toHaveLength(MAX_SESSIONS);
    });

    it("and come back to the limit by the next that is opened, after they did not hear of each other in time", () => {
      const { world, a, b, ids } = full();
      for (const sessionId of ids) lose(a, sessionId);
      world.heal(100);
      // Each of the two nodes ends the same sessions, round after round. They once gained as many each time.
      const most: number[] = [];
      for (let round = 0; round < 4; round++) {
        for (const node of [a, b]) {
          const opened = ids.map(() => node.openWithin("alice", "widget", {}).opened!);
          for (const sessionId of opened) lose(node, sessionId);
        }
        world.heal(100);
        most.push(a.appPresence.table.user("alice")!.sessions.length);
      }
      expect(most).toEqual(Array.from({ length: 4 }, () => 2 * MAX_SESSIONS));
      expect(b.openWithin("alice", "widget", {}).evicted).toHaveLength(MAX_SESSIONS + 1);
      world.heal(100);
      for (const { appPresence } of world.nodes) {
        expect(appPresence.table.user("alice")!.sessions).toHaveLength(MAX_SESSIONS);
      }
    });

    it("and resume none while there are too many, unless lost ones make room", () => {
      const { world, a, b, ids } = full();
      // Each is closed, replaced by another, and taken over by the other node, which has not heard of it yet.
      for (const sessionId of ids) {
        a.socket.held.delete(sessionId);
        a.transact((sessions) => sessions.end(a.appPresence.table.get(sessionId)!, "closed"));
      }
      const others = ids.map(() => a.openWithin("alice", "widget", {}).opened!);
      for (const sessionId of ids) expect(b.resume(sessionId, {})).toBe(true);
      world.heal(100);
      expect(a.appPresence.table.user("alice")!.sessions).toHaveLength(2 * MAX_SESSIONS);
      const evictedFor = (node: FakeNode, sessionId: string) =>
        node.transact((sessions) =>
          sessions.sessionsToEvict("alice", node.appPresence.table.get(sessionId)!),
        );
      for (const node of world.nodes) {
        for (const sessionId of [...ids, ...others]) expect(evictedFor(node, sessionId)).toBe("full");
      }
      world.compare();
      for (const sessionId of others) {
        lose(a, sessionId);
        world.heal(40);
      }
      expect(evictedFor(a, others[0]!)).toBe("full");
      const oldest = others.map((sessionId) => b.appPresence.table.get(sessionId)!);
      expect(evictedFor(b, ids[0]!)).toEqual(oldest);
    });

    it("and tell each other of a lost socket only where the user may need the place", () => {
      const world = worldOf(2);
      const [a, b] = world.nodes;
      const few = Array.from({ length: MAX_SESSIONS / 2 - 1 }, () => a!.open("alice", "widget", {}));
      const many = Array.from({ length: MAX_SESSIONS / 2 }, () => a!.open("bob", "widget", {}));
      world.heal(40);
      const rowOf = (sessionId: string) => world.log.rows.get(sessionId)!.text;
      const before = rowOf(few[0]!);
      lose(a!, few[0]!);
      lose(a!, many[0]!);
      world.heal(40);
      expect(rowOf(few[0]!)).toBe(before);
      expect(JSON.parse(rowOf(many[0]!))).toHaveLength(10);
      expect(b!.appPresence.table.get(few[0]!)!.ownership!.lostAt).toBeUndefined();
      // It ends as ever.
      world.heal(WINDOW_MS);
      world.compare();
    });
  });

  it("take in no more sessions of one user than any node lets in, in whatever order they were written", () => {
    const world = worldOf(1);
    const [a] = world.nodes;
    const text = (opened: number) => JSON.stringify([1, APP_ID, "alice", "widget", opened, 0, 1, null, {}]);
    world.log.join({ do: "join", writer: "w", leaseMs: 1_000_000, nodeId: "w", formerly: [] });
    const [LIMIT, MORE] = [10_000, 50];
    for (let i = 0; i < LIMIT + MORE; i += 50) {
      const ops = Array.from(
        { length: 50 },
        (_, n) => ({ kind: "open", sessionId: `s${i + n}`, text: text(LIMIT + MORE - i - n) }) as const,
      );
      world.log.append({ do: "append", writer: "w", seq: i / 50 + 1, ops });
    }
    world.flush();
    const { sessions } = a!.appPresence.table.user("alice")!;
    expect(sessions).toHaveLength(LIMIT);
    expect(sessions[0]!.sessionId).toBe(`s${LIMIT - 1}`);
    expect(a!.events.filter((event) => event === "badInput")).toHaveLength(MORE);
  });
});
