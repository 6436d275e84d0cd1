import { describe, expect, it } from "vitest";
import { LEASE_MS, TYPING_MS, WINDOW_MS } from "./fake-node.ts";
import { users, worldOf } from "./world.ts";

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
    expect(a!.events).not.toContain("expelled");
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
