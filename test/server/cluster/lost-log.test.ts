import { describe, expect, it } from "vitest";
import { LEASE_MS, WINDOW_MS } from "./fake-node.ts";
import { users, worldOf } from "./world.ts";

describe("nodes whose log is lost, older, trimmed, frozen or silent", () => {
  it("write again what a log has lost, and no user leaves", () => {
    const world = worldOf(3);
    const [a, b, c] = world.nodes;
    a!.open("alice", "widget", {});
    const bob = b!.open("bob", "widget", {});
    world.heal(40);
    world.log.lose();
    b!.transact((sessions) => sessions.update(b!.appPresence.table.get(bob)!, { hasFocus: true }));
    for (let i = 0; i < 50; i++) {
      world.heal(100);
      expect(users(world)).toEqual(Array(3).fill(["alice", "bob"]));
    }
    world.compare();
    expect(c!.appPresence.table.get(bob)!.hasFocus).toBe(true);
    world.heal(LEASE_MS + WINDOW_MS + 5_000);
    world.compare();
  });

  it.each([0, 1, 2])(
    "end for all, whoever comes back first (%i) to a log that was emptied, who ended meanwhile",
    (first) => {
      const world = worldOf(3);
      const [a, b] = world.nodes;
      a!.open("alice", "widget", {});
      const bob = a!.open("bob", "widget", {});
      a!.open("carol", "widget", {});
      world.heal(40);
      for (const node of world.nodes) world.cut(node);
      world.log.lose();
      a!.socket.held.delete(bob);
      a!.transact((sessions) => sessions.end(a!.appPresence.table.get(bob)!, "closed"));
      b!.transact((sessions) => sessions.forceEndAll("carol"));
      world.nodes[first]!.connect();
      world.advance(1_000, () => 5);
      world.heal(4_000);
      world.compare();
      expect(users(world)).toEqual(Array(3).fill(["alice"]));
    },
  );

  it("name the log that they share: not while one may miss something, and anew once it was lost", () => {
    const world = worldOf(2);
    const [a, b] = world.nodes;
    world.heal(40);
    const before = a!.replicator.logId;
    expect(before).toBeTypeOf("string");
    expect(b!.replicator.logId).toBe(before);
    const c = world.start("c");
    world.heal(40);
    expect(c.replicator.logId).toBe(before);
    world.cut(b!);
    expect(b!.replicator.logId).toBeUndefined();
    // A node that comes back, or starts again under the same id, is in the same log.
    b!.connect();
    world.kill(c);
    world.heal(LEASE_MS + 2_000);
    const again = world.start("c");
    world.heal(LEASE_MS + 2_000);
    for (const { replicator } of [b!, again]) expect(replicator.logId).toBe(before);
    world.log.lose();
    world.heal(LEASE_MS + 2_000);
    const after = a!.replicator.logId;
    expect(after).toBeTypeOf("string");
    expect(after).not.toBe(before);
    for (const { replicator } of [b!, again]) expect(replicator.logId).toBe(after);
  });

  it("join again when the log is emptied once more while they are about to", () => {
    const world = worldOf(2);
    const [a, b] = world.nodes;
    b!.isPaused = true;
    for (let i = 0; i < 3; i++) {
      a!.open(`user-${i}`, "widget", {});
      world.advance(1_000, () => 5);
      if (i === 0) world.log.lose();
    }
    world.advance(2_500, () => 5);
    world.kill(a!);
    b!.isPaused = false;
    b!.open("bob", "widget", {});
    world.advance(10, () => 5);
    expect(b!.events).toContain("expelled");
    world.log.lose();
    world.heal(2_000);
    expect(b!.replicator.isWhole).toBe(true);
    world.compare();
  });

  it("leave a session with the node that took it over last, though the log was emptied and the former owner is back first", () => {
    const world = worldOf(3);
    const [a, b] = world.nodes;
    const alice = b!.open("alice", "widget", {});
    world.heal(40);
    world.cut(b!);
    expect(a!.resume(alice, { hasFocus: true })).toBe(true);
    world.advance(1_000, () => 5);
    world.log.lose();
    // Finds that the log is another one at the same time as the other, which joins first.
    a!.open("ada", "widget", {});
    world.heal(5_000);
    expect(a!.socket.told).toEqual([]);
    expect(b!.socket.told).toEqual([`${alice} replaced`]);
    for (const { appPresence } of world.nodes) expect(appPresence.table.get(alice)!.hasFocus).toBe(true);
    world.compare();
  });

  it.each([false, true])(
    "go on after a failover to a log that is behind, its clock too: %s",
    (isClockBack) => {
      const world = worldOf(3);
      const [a, b, c] = world.nodes;
      const ended = a!.open("ended", "widget", {});
      const moved = a!.open("moved", "widget", {});
      world.heal(40);
      const restore = world.log.save();
      a!.transact((sessions) => sessions.end(a!.appPresence.table.get(ended)!, "closed"));
      a!.socket.held.delete(ended);
      b!.resume(moved, { hasFocus: true });
      b!.open("new", "widget", {});
      world.heal(40);
      for (const node of world.nodes) world.cut(node);
      restore(isClockBack);
      for (let i = 0; i < 50; i++) {
        world.heal(100);
        for (const names of users(world)) expect(names).toEqual(["moved", "new"]);
      }
      world.compare();
      expect(users(world)).toEqual(Array(3).fill(["moved", "new"]));
      expect(b!.socket.told).toEqual([]);
      expect(c!.appPresence.table.get(moved)!.hasFocus).toBe(true);
    },
  );

  it("leave a session with the later of two takeovers, though the log goes back to the earlier one", () => {
    const world = worldOf(3);
    const [a, b, c] = world.nodes;
    const alice = a!.open("alice", "widget", {});
    world.heal(40);
    b!.resume(alice, {});
    c!.resume(alice, { hasFocus: true });
    for (const node of [b!, c!]) node.step();
    b!.serve();
    const restore = world.log.save();
    world.heal(100);
    for (const node of world.nodes) world.cut(node);
    restore(false);
    world.heal(LEASE_MS + WINDOW_MS);
    expect(b!.socket.told).toEqual([`${alice} replaced`]);
    expect(c!.socket.told).toEqual([]);
    expect(a!.appPresence.table.get(alice)!.hasFocus).toBe(true);
    world.compare();
  });

  it("read all rows when their writes do not come back", () => {
    const world = worldOf(2);
    const [a, b] = world.nodes;
    b!.isDeaf = true;
    a!.open("alice", "widget", {});
    world.advance(6_000, () => 5);
    expect(users(world)[1]).toEqual(["alice"]);
    b!.isDeaf = false;
    world.heal(5_000);
    world.compare();
  });

  it("wait a while for one that comes back later than they do", () => {
    const world = worldOf(2);
    const [a, b] = world.nodes;
    const moved = b!.open("moved", "widget", {});
    world.heal(40);
    const restore = world.log.save();
    a!.open("alice", "widget", {});
    world.heal(40);
    for (const node of world.nodes) world.cut(node);
    // Redis went back to a time before alice came; and a client of the one went to the other, which tells of
    // it when it can.
    restore(false);
    b!.transact((sessions) => sessions.markDisconnected(b!.appPresence.table.get(moved)!));
    b!.socket.held.delete(moved);
    a!.resume(moved, {});
    world.advance(WINDOW_MS + 100, () => 0);
    b!.connect();
    world.advance(1_500, () => 5);
    expect(b!.replicator.isWhole).toBe(true);
    expect(users(world)).toEqual([
      ["alice", "moved"],
      ["alice", "moved"],
    ]);
    world.heal(6_000);
    world.compare();
    expect(users(world)[1]).toEqual(["alice", "moved"]);
  });

  it("read the rows again when entries were trimmed before they were read", () => {
    const world = worldOf(2);
    const [a, b] = world.nodes;
    const gone = a!.open("gone", "widget", {});
    world.heal(40);
    b!.isPaused = true;
    a!.open("new", "widget", {});
    a!.transact((sessions) => sessions.end(a!.appPresence.table.get(gone)!, "closed"));
    a!.socket.held.delete(gone);
    world.flush();
    a!.open("newer", "widget", {});
    world.advance(100, () => 5);
    world.log.trim(1);
    world.heal(100);
    world.heal(4_000);
    expect(b!.events).toContain("gap");
    world.compare();
    expect(users(world)[1]).toEqual(["new", "newer"]);
  });

  it("declare no node dead while the log is frozen, however long, and agree soon after", () => {
    const world = worldOf(3);
    const [a, b] = world.nodes;
    a!.open("alice", "widget", {});
    const moved = b!.open("moved", "widget", {});
    world.heal(40);
    world.isFrozen = true;
    b!.transact((sessions) => sessions.markDisconnected(b!.appPresence.table.get(moved)!));
    b!.socket.held.delete(moved);
    world.advance(3_000, () => 1);
    a!.resume(moved, {});
    world.advance(50_000, () => 1);
    expect(users(world)).toEqual(Array(3).fill(["alice", "moved"]));
    for (let i = 0; i < 60; i++) {
      world.heal(100);
      expect(users(world)).toEqual(Array(3).fill(["alice", "moved"]));
    }
    world.compare();
  });

  it("end no session in the moments before they notice that the log is frozen", () => {
    const world = worldOf(2);
    const [a, b] = world.nodes;
    const moved = b!.open("moved", "widget", {});
    world.heal(40);
    b!.transact((sessions) => sessions.markDisconnected(b!.appPresence.table.get(moved)!));
    b!.socket.held.delete(moved);
    world.heal(WINDOW_MS - 1_600);
    world.isFrozen = true;
    b!.transact((sessions) => sessions.open("another", "widget", {}, b!.socket));
    a!.resume(moved, {});
    world.advance(3_000, () => 1);
    expect(users(world)[1]).toContain("moved");
  });

  it("end no session before those that were cut off with them are back", () => {
    const world = worldOf(2);
    const [a, b] = world.nodes;
    const moved = b!.open("moved", "widget", {});
    world.heal(40);
    for (const node of [a!, b!]) world.cut(node);
    b!.transact((sessions) => sessions.markDisconnected(b!.appPresence.table.get(moved)!));
    b!.socket.held.delete(moved);
    world.advance(1_000, () => 1);
    a!.resume(moved, {});
    world.advance(WINDOW_MS, () => 1);
    b!.connect();
    world.advance(LEASE_MS - 1_000, () => 10);
    expect(users(world)[1]).toContain("moved");
    world.heal(10_000);
    expect(users(world)).toEqual([["moved"], ["moved"]]);
    world.compare();
  });

  it("stay in the cluster when a write is read back long before its reply comes", () => {
    const world = worldOf(1);
    const [a] = world.nodes;
    for (let i = 0; i < 5; i++) {
      a!.open(`user-${i}`, "widget", {});
      a!.now += 10;
      a!.step();
      a!.serve();
      a!.read(Number.POSITIVE_INFINITY);
    }
    expect(a!.replies.length).toBeGreaterThanOrEqual(5);
    a!.open("last", "widget", {});
    a!.now += 10;
    a!.step();
    while (a!.replies.length > 0) a!.deliver();
    world.heal(1_000);
    expect(a!.events).toEqual(["start", "joined"]);
    world.compare();
  });

  it("declare no node dead as long as they do not read their own writes", () => {
    const world = worldOf(2);
    world.isFrozen = true;
    // Their writes would be done when the log goes on, so they must not be sent.
    for (let ms = 0; ms < 2 * LEASE_MS; ms += 50) {
      for (const node of world.nodes) {
        node.now += 50;
        node.step();
      }
    }
    const said = world.nodes.flatMap(({ commands }) => commands.map(({ command }) => command.do));
    expect(said).toContain("append");
    expect(said).not.toContain("evict");
  });
});
