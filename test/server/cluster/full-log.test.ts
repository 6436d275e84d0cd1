import { describe, expect, it } from "vitest";
import { LEASE_MS, WINDOW_MS } from "./fake-node.ts";
import { users, worldOf } from "./world.ts";

describe("nodes whose log has no room for more", () => {
  it("declare no node dead, end no session, go on serving, and agree as soon as there is room", () => {
    const world = worldOf(3);
    const [a, b, c] = world.nodes;
    const alice = a!.open("alice", "widget", {});
    const moved = a!.open("moved", "widget", {});
    world.heal(40);
    world.log.isFull = true;
    a!.transact((sessions) => sessions.update(a!.appPresence.table.get(alice)!, { custom: { n: "1" } }));
    world.advance(1_000, () => 5);
    for (const { replicator } of world.nodes) {
      expect(replicator.isWhole).toBe(false);
      expect(replicator.isRedisFull).toBe(true);
    }
    // A client moves to another node, which cannot be written.
    a!.socket.held.delete(moved);
    a!.transact((sessions) => sessions.markDisconnected(a!.appPresence.table.get(moved)!));
    expect(b!.resume(moved, { hasFocus: true })).toBe(true);
    c!.open("carol", "widget", {});
    world.advance(LEASE_MS + WINDOW_MS + 5_000, () => 5);
    for (const { events } of world.nodes) {
      expect(events).not.toContain("nodeEvicted");
      expect(events).not.toContain("expelled");
    }
    expect(users(world)).toEqual([
      ["alice", "moved"],
      ["alice", "moved"],
      ["alice", "carol", "moved"],
    ]);
    world.log.isFull = false;
    world.advance(5_000, () => 5);
    world.compare();
    for (const { replicator } of world.nodes) expect(replicator.isWhole).toBe(true);
    expect(users(world)).toEqual(Array(3).fill(["alice", "carol", "moved"]));
    expect(b!.socket.told).toEqual([]);
    expect(c!.appPresence.table.get(alice)!.custom.n).toBe("1");
    world.heal(LEASE_MS + WINDOW_MS);
    world.compare();
  });

  it("still write ends, which make room", () => {
    const world = worldOf(2);
    const [a, b] = world.nodes;
    const gone = a!.open("gone", "widget", {});
    a!.open("alice", "widget", {});
    world.heal(40);
    world.log.isFull = true;
    const [alice] = a!.appPresence.table.user("alice")!.sessions;
    a!.transact((sessions) => sessions.update(alice!, { hasFocus: true }));
    a!.socket.held.delete(gone);
    a!.transact((sessions) => sessions.end(a!.appPresence.table.get(gone)!, "closed"));
    expect(b!.transact((sessions) => sessions.forceEndAll("alice"))).toBe(1);
    world.advance(1_500, () => 5);
    expect(users(world)).toEqual([[], []]);
    expect(world.log.rows.size).toBe(0);
    world.heal(2_000);
    world.compare();
  });

  it("write what had no room once there is some, whatever was written since", () => {
    const world = worldOf(3);
    const [a, b, c] = world.nodes;
    const [one, two, three] = ["one", "two", "three"].map((name) => a!.open(name, "widget", {}));
    world.heal(40);
    world.log.isFull = true;
    // In batches that follow on one another: taken over and changed, taken over and ended, changed and
    // changed again.
    b!.resume(one!, {});
    b!.resume(two!, {});
    a!.transact((sessions) => sessions.update(a!.appPresence.table.get(three!)!, { hasFocus: true }));
    world.advance(10, (node) => (node === c ? 0 : 1));
    b!.transact((sessions) => sessions.update(b!.appPresence.table.get(one!)!, { custom: { n: "2" } }));
    b!.transact((sessions) => sessions.end(b!.appPresence.table.get(two!)!, "closed"));
    b!.socket.held.delete(two!);
    a!.transact((sessions) => sessions.update(a!.appPresence.table.get(three!)!, { isTyping: true }));
    world.advance(3_000, () => 3);
    world.heal(2_000);
    world.compare();
    expect(users(world)).toEqual(Array(3).fill(["one", "three"]));
    expect(c!.appPresence.table.get(one!)!.custom.n).toBe("2");
    expect(b!.socket.told).toEqual([]);
  });

  it("let one go that leaves", () => {
    const world = worldOf(2);
    const [a] = world.nodes;
    const alice = a!.open("alice", "widget", {});
    world.heal(40);
    world.log.isFull = true;
    a!.transact((sessions) => sessions.update(a!.appPresence.table.get(alice)!, { hasFocus: true }));
    world.advance(200, () => 5);
    a!.transact((sessions) => sessions.markDisconnected(a!.appPresence.table.get(alice)!));
    a!.socket.held.delete(alice);
    a!.replicator.leave();
    world.advance(1_500, () => 5);
    expect(a!.replicator.hasLeft).toBe(true);
  });
});
