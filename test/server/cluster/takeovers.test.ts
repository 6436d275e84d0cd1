import { describe, expect, it } from "vitest";
import { APP_ID, type FakeNode, TYPING_MS, WINDOW_MS } from "./fake-node.ts";
import { users, worldOf } from "./world.ts";

describe("nodes that share a log", () => {
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
});
