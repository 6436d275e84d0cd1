import { describe, expect, it } from "vitest";
import {
  APP_ID,
  type FakeNode,
  LEASE_MS,
  MAX_SESSIONS,
  TYPING_MS,
  users,
  WINDOW_MS,
  worldOf,
} from "./world.ts";

describe("nodes that share a log", () => {
  it("show each other's sessions, changes and ends", () => {
    const world = worldOf(3);
    const [a, b] = world.nodes;
    const alice = a!.open("alice", "widget", { selectedConversationId: "c1", custom: { page: "x" } });
    b!.open("bob", "background", {});
    world.heal(40);
    world.compare();
    expect(users(world)).toEqual(Array(3).fill(["alice", "bob"]));
    a!.transact((sessions) =>
      sessions.update(a!.appPresence.table.get(alice)!, { hasFocus: true, isTyping: true }),
    );
    world.heal(40);
    world.compare();
    expect(b!.appPresence.table.get(alice)!).toMatchObject({ hasFocus: true, isTyping: true });
    a!.transact((sessions) => sessions.end(a!.appPresence.table.get(alice)!, "closed"));
    a!.socket.held.delete(alice);
    world.heal(40);
    world.compare();
    expect(users(world)).toEqual(Array(3).fill(["bob"]));
  });

  it("let any of them take a session over, and no subscriber sees a change", () => {
    const world = worldOf(3);
    const [a, b, c] = world.nodes;
    const alice = a!.open("alice", "widget", { isTyping: true });
    world.heal(40);
    const { isTyping, hasFocus } = c!.appPresence.table.get(alice)!;
    expect(b!.resume(alice, {})).toBe(true);
    world.heal(40);
    expect(a!.socket.told).toEqual([`${alice} replaced`]);
    world.compare();
    expect(c!.appPresence.table.get(alice)!).toMatchObject({ isTyping, hasFocus });
    // The new owner times its typing.
    world.heal(TYPING_MS);
    expect(c!.appPresence.table.get(alice)!.isTyping).toBe(false);
    world.compare();
  });

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

  it.each(["noted", "sent"])(
    "are not put off by what was said before a session was taken over, which is %s",
    (how) => {
      const world = worldOf(2);
      const [a, b] = world.nodes;
      const alice = a!.open("alice", "widget", {});
      world.heal(40);
      a!.transact((sessions) => sessions.update(a!.appPresence.table.get(alice)!, { hasFocus: true }));
      world.advance(10, (node) => (node === a ? 2 : 0));
      expect(b!.resume(alice, { isTyping: true })).toBe(true);
      if (how === "sent") b!.step();
      b!.read(Number.POSITIVE_INFINITY);
      expect(b!.appPresence.table.get(alice)!).toMatchObject({ hasFocus: false, isTyping: true });
      world.heal(40);
      expect(b!.socket.told).toEqual([]);
      world.compare();
      expect(a!.appPresence.table.get(alice)!).toMatchObject({ hasFocus: false, isTyping: true });
    },
  );

  it("agree on the owner of a session that two took over at the same time", () => {
    const world = worldOf(3);
    const [a, b, c] = world.nodes;
    const alice = a!.open("alice", "widget", {});
    world.heal(40);
    b!.resume(alice, { hasFocus: true });
    c!.resume(alice, { hasFocus: false });
    world.heal(40);
    world.compare();
    expect(b!.socket.held.size + c!.socket.held.size).toBe(1);
    expect([...b!.socket.told, ...c!.socket.told]).toEqual([`${alice} replaced`]);
  });

  it.each([
    ["ahead", 60_000],
    ["behind", -60_000],
    ["equal", 0],
  ])(
    "leave it with the later takeover in the log, whatever their clocks say (the first one's is %s)",
    (_, skew) => {
      for (const isCut of [false, true]) {
        const world = worldOf(3);
        const [a, b, c] = world.nodes;
        b!.skew = skew;
        const alice = a!.open("alice", "widget", {});
        world.heal(40);
        // Neither hears of the other: the log is too slow, or they are cut off from it.
        if (isCut) for (const node of [b!, c!]) world.cut(node);
        b!.resume(alice, { hasFocus: true });
        c!.resume(alice, { isTyping: true });
        for (const node of [b!, c!]) {
          node.connect();
          world.pump(node, 3);
        }
        world.heal(1_000);
        world.compare();
        expect(a!.socket.told).toEqual([`${alice} replaced`]);
        expect(b!.socket.told).toEqual([`${alice} replaced`]);
        expect(c!.socket.told).toEqual([]);
        expect(a!.appPresence.table.get(alice)!.isTyping).toBe(true);
      }
    },
  );

  it("leave a session where its client is, though the owner in between comes back to the log later", () => {
    for (const wasSent of [false, true]) {
      const world = worldOf(3);
      const [a, b, c] = world.nodes;
      const alice = a!.open("alice", "widget", {});
      world.heal(40);
      if (!wasSent) world.cut(b!);
      b!.resume(alice, {});
      b!.step();
      // What was sent is lost with the link.
      if (wasSent) b!.cut();
      b!.socket.held.delete(alice);
      b!.transact((sessions) => sessions.markDisconnected(b!.appPresence.table.get(alice)!));
      c!.resume(alice, { hasFocus: true });
      world.advance(500, () => 5);
      world.heal(WINDOW_MS + 5_000);
      expect(c!.socket.told).toEqual([]);
      world.compare();
    }
  });

  it("count on from the epochs that versions before wrote, which took them from their wall clocks", () => {
    const world = worldOf(3);
    const [a, b, c] = world.nodes;
    const alice = a!.open("alice", "widget", {});
    world.heal(40);
    /** As those versions take a session over. */
    const resumeAsBefore = (node: FakeNode, wall: number) => {
      node.resume(alice, {});
      const session = node.appPresence.table.get(alice)!;
      node.transact(({ replicated }) =>
        replicated.setEpoch(session, Math.max(session.ownership!.epoch, wall)),
      );
    };
    resumeAsBefore(b!, 1_800_000_000_000);
    world.heal(40);
    expect(c!.resume(alice, {})).toBe(true);
    world.heal(40);
    expect(b!.socket.told).toEqual([`${alice} replaced`]);
    for (const { appPresence } of world.nodes) {
      expect(appPresence.table.get(alice)!.ownership!.epoch).toBe(1_800_000_000_001);
    }
    // At the same time, all agree as well.
    a!.resume(alice, {});
    resumeAsBefore(b!, 1_800_000_060_000);
    world.heal(40);
    world.compare();
  });

  it("read each other's sessions and takeovers, however large the numbers in the records are", () => {
    const world = worldOf(3);
    const [a, b] = world.nodes;
    const MAX = 2 ** 52;
    const text = (kind: string) => JSON.stringify([1, APP_ID, "alice", kind, MAX, MAX, 1, null, {}]);
    world.log.join({ do: "join", writer: "w", leaseMs: 1_000_000, nodeId: "w", formerly: [] });
    world.log.append({
      do: "append",
      writer: "w",
      seq: 1,
      ops: [{ kind: "open", sessionId: "far", text: text("widget") }],
    });
    world.heal(40);
    const later = a!.open("alice", "widget", {});
    world.heal(40);
    const last = b!.open("alice", "widget", {});
    world.heal(40);
    expect(a!.resume("far", {})).toBe(true);
    world.heal(40);
    expect(b!.resume("far", { hasFocus: true })).toBe(true);
    world.heal(40);
    const expected = ["far", later, last].sort();
    for (const node of world.nodes) {
      expect(node.appPresence.table.user("alice")!.sessions.map(({ sessionId }) => sessionId)).toEqual(
        expected,
      );
      expect(node.appPresence.table.get("far")).toMatchObject({ hasFocus: true });
      expect(node.events).not.toContain("badInput");
    }
    expect(a!.socket.told).toEqual(["far replaced"]);
    world.compare();
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

  it("under a partition, leave a session with the node that took it over last", () => {
    const world = worldOf(3);
    const [a, b, c] = world.nodes;
    const [alice, bob] = [a!.open("alice", "widget", {}), a!.open("bob", "widget", {})];
    world.heal(40);
    world.isFrozen = true;
    const moves = [
      [b!, alice],
      [b!, bob],
      [a!, alice],
      [c!, bob],
    ] as const;
    for (const [node, sessionId] of moves) {
      world.advance(1_000, () => 5);
      for (const { socket, appPresence, now } of world.nodes) {
        if (socket.held.delete(sessionId))
          appPresence.transact(now, (sessions) =>
            sessions.markDisconnected(appPresence.table.get(sessionId)!),
          );
      }
      expect(node.resume(sessionId, {})).toBe(true);
    }
    world.heal(2 * WINDOW_MS);
    for (const { socket } of world.nodes) expect(socket.told).toEqual([]);
    expect([...a!.socket.held, ...c!.socket.held]).toEqual([alice, bob]);
    world.compare();
  });

  it("kick wherever the sockets are", () => {
    const world = worldOf(2);
    const [a, b] = world.nodes;
    const alice = a!.open("alice", "widget", {});
    world.heal(40);
    expect(b!.transact((sessions) => sessions.forceEndAll("alice"))).toBe(1);
    // What its owner says before it has heard of that revives nothing.
    a!.transact((sessions) => sessions.update(a!.appPresence.table.get(alice)!, { hasFocus: true }));
    world.heal(40);
    expect(a!.socket.told).toEqual([`${alice} kicked`]);
    world.compare();
    expect(users(world)).toEqual([[], []]);
  });

  it("list a user's sessions in one order, however wrong their clocks are", () => {
    const world = worldOf(2);
    const [a, b] = world.nodes;
    b!.skew = -60_000;
    const first = a!.open("alice", "widget", {});
    world.heal(40);
    const second = b!.open("alice", "widget", {});
    const third = b!.open("alice", "widget", {});
    world.heal(40);
    const fourth = a!.open("alice", "background", {});
    world.heal(40);
    for (const node of world.nodes) {
      const order = node.appPresence.table.user("alice")!.sessions.map(({ sessionId }) => sessionId);
      expect(order).toEqual([first, second, third, fourth]);
    }
  });

  it("keep the sessions of a dead node for the window, then end them as lost", () => {
    const world = worldOf(3);
    const [a, b, c] = world.nodes;
    const kept = a!.open("alice", "widget", { isTyping: true });
    const lost = a!.open("bob", "widget", { isTyping: true });
    world.heal(40);
    world.kill(a!);
    world.heal(LEASE_MS - 100);
    expect(b!.events).not.toContain("nodeEvicted");
    world.heal(200 + TYPING_MS);
    expect(b!.events).toContain("nodeEvicted");
    expect(b!.appPresence.table.get(lost)!.isTyping).toBe(false);
    expect(c!.resume(kept, {})).toBe(true);
    world.heal(WINDOW_MS - TYPING_MS - 1_000);
    expect(users(world)).toEqual([
      ["alice", "bob"],
      ["alice", "bob"],
    ]);
    world.heal(1_500);
    expect(users(world)).toEqual([["alice"], ["alice"]]);
    world.compare();
    world.heal(2_000);
    expect([...world.log.register.keys()]).toHaveLength(2);
  });

  it("take over from one that leaves, without waiting for its lease", () => {
    const world = worldOf(2);
    const [a, b] = world.nodes;
    const alice = a!.open("alice", "widget", {});
    world.heal(40);
    a!.transact((sessions) => sessions.markDisconnected(a!.appPresence.table.get(alice)!));
    a!.replicator.leave();
    world.heal(100);
    expect(a!.replicator.hasLeft).toBe(true);
    world.kill(a!);
    expect(b!.resume(alice, {})).toBe(true);
    world.heal(LEASE_MS + WINDOW_MS);
    world.compare();
    expect(users(world)).toEqual([["alice"]]);
  });

  it("take one back that was declared dead and is not", () => {
    const world = worldOf(2);
    const [a, b] = world.nodes;
    const alice = a!.open("alice", "widget", {});
    const moved = a!.open("moved", "widget", {});
    world.heal(40);
    a!.isPaused = true;
    world.advance(LEASE_MS + 1_000, () => 20);
    expect(b!.events).toContain("nodeEvicted");
    b!.resume(moved, {});
    world.advance(WINDOW_MS + 1_000, () => 20);
    expect(users(world)[1]).toEqual(["moved"]);
    world.heal(100);
    expect(a!.socket.told).toEqual([`${moved} replaced`]);
    world.compare();
    expect(users(world)[1]).toEqual(["alice", "moved"]);
    expect(a!.socket.held).toEqual(new Set([alice]));
    world.heal(LEASE_MS + WINDOW_MS + 5_000);
    world.compare();
    expect(world.log.register.size).toBe(2);
  });

  it("give each other a whole lease after a time without the log", () => {
    const world = worldOf(2);
    const [a, b] = world.nodes;
    for (const node of world.nodes) world.cut(node);
    world.advance(LEASE_MS, () => 0);
    b!.connect();
    world.advance(LEASE_MS - 1_000, () => 5);
    expect(b!.events).not.toContain("nodeEvicted");
    world.advance(2_000, () => 5);
    expect(b!.events).toContain("nodeEvicted");
    a!.connect();
    world.heal(LEASE_MS + WINDOW_MS + 5_000);
    world.compare();
  });

  it("end a session on all nodes if it is taken over and ended at the same time", () => {
    const world = worldOf(2);
    const [a, b] = world.nodes;
    const alice = a!.open("alice", "widget", {});
    world.heal(40);
    b!.resume(alice, {});
    b!.transact((sessions) => sessions.end(b!.appPresence.table.get(alice)!, "closed"));
    b!.socket.held.clear();
    world.heal(40);
    world.compare();
    expect(users(world)).toEqual([[], []]);
    expect(a!.socket.told).toEqual([`${alice} replaced`]);
  });

  it("have ids of their own: a second node with the same id is refused while the first is alive", () => {
    const world = worldOf(1);
    const [first] = world.nodes;
    const second = world.start(first!.name);
    world.heal(LEASE_MS);
    expect(second.events).toContain("nodeIdConflict");
    expect(second.replicator.isWhole).toBe(false);
    world.kill(first!);
    world.kill(second);
    const third = world.start(first!.name);
    world.heal(LEASE_MS + 2_000);
    expect(third.events).not.toContain("nodeIdConflict");
    expect(third.replicator.isWhole).toBe(true);
  });
});
