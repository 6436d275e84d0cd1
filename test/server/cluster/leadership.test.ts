import { describe, expect, it } from "vitest";
import { Leadership } from "../../../src/server/cluster/leadership.ts";
import { LEASE_MS } from "./fake-node.ts";
import { type World, worldOf } from "./world.ts";

const NOW = 1_000;
const FIRST = { isWhole: true, hearsOthers: true, rank: 0 };
const termsOf = (world: World) => world.nodes.map(({ replicator }) => replicator.leadership.term);

describe("a node", () => {
  it("leads while it is the first", () => {
    const leadership = new Leadership(LEASE_MS);
    expect(leadership.term).toBeUndefined();
    leadership.update({ ...FIRST, rank: 1 }, NOW);
    expect(leadership.term).toBeUndefined();
    leadership.update(FIRST, NOW);
    expect(leadership.term).toBe(1);
    leadership.update({ ...FIRST, rank: 1 }, NOW);
    expect(leadership.term).toBeUndefined();
    leadership.update(FIRST, NOW);
    expect(leadership.term).toBe(2);
  });

  it("does not begin before it hears of the others, and goes on when it does not", () => {
    const leadership = new Leadership(LEASE_MS);
    leadership.update({ ...FIRST, hearsOthers: false }, NOW);
    leadership.update({ ...FIRST, isWhole: false }, NOW);
    expect(leadership.term).toBeUndefined();
    leadership.update(FIRST, NOW);
    leadership.update({ isWhole: false, hearsOthers: false, rank: 3 }, NOW);
    leadership.update({ ...FIRST, hearsOthers: false }, NOW);
    expect(leadership.term).toBe(1);
    leadership.resign();
    expect(leadership.term).toBeUndefined();
  });

  it("reckons with a node that led before it for a lease, and with each that joins", () => {
    const leadership = new Leadership(LEASE_MS);
    leadership.update(FIRST, NOW);
    expect(leadership.rivalUntil).toBe(NOW + LEASE_MS);
    leadership.joinedByOther(NOW + 1);
    expect(leadership.rivalUntil).toBe(NOW + LEASE_MS);
    // The lease of a node that is cut off begins anew, too.
    leadership.leasesRestarted(NOW + 2);
    expect(leadership.rivalUntil).toBe(NOW + 2 + LEASE_MS);
    leadership.leasesRestarted(NOW + 3 * LEASE_MS);
    expect(leadership.rivalUntil).toBe(NOW + 2 + LEASE_MS);
    leadership.joinedByOther(NOW + 3 * LEASE_MS);
    expect(leadership.rivalUntil).toBe(NOW + 3 * LEASE_MS);
  });
});

describe("of several nodes", () => {
  it("the oldest leads, also after another one has come", () => {
    const world = worldOf(1);
    world.start();
    world.start();
    world.heal(200);
    expect(termsOf(world)).toEqual([1, undefined, undefined]);
  });

  it("the next one leads once the first is dead, within a lease and a second", () => {
    const world = worldOf(3);
    world.kill(world.nodes[0]!);
    world.heal(LEASE_MS - 2_500);
    expect(termsOf(world)).toEqual([undefined, undefined]);
    world.heal(3_500);
    expect(termsOf(world)).toEqual([1, undefined]);
  });

  it("the next one leads at once when the first has left", () => {
    const world = worldOf(2);
    const [first] = world.nodes;
    first!.replicator.leave();
    world.heal(300);
    world.kill(first!);
    world.heal(200);
    expect(termsOf(world)).toEqual([1]);
  });

  it("the leader goes on while Redis is away, and no other begins, however long", () => {
    const world = worldOf(2);
    for (const node of world.nodes) world.cut(node);
    world.advance(10 * LEASE_MS, () => 0);
    expect(termsOf(world)).toEqual([1, undefined]);
    world.heal(5_000);
    expect(termsOf(world)).toEqual([1, undefined]);
  });

  // A node may have led meanwhile of which no other has heard.
  it("the leader begins again after Redis has lost everything", () => {
    const world = worldOf(2);
    for (const node of world.nodes) world.cut(node);
    world.log.lose();
    // The other one is back first.
    world.nodes[1]!.connect();
    world.advance(500, () => 3);
    world.heal(5_000);
    expect(termsOf(world)).toEqual([2, undefined]);
  });

  it("one that comes first after Redis has lost everything leads until the leader is back, which begins again", () => {
    const world = worldOf(1);
    world.cut(world.nodes[0]!);
    world.log.lose();
    world.start();
    world.advance(500, () => 3);
    expect(termsOf(world)).toEqual([1, 1]);
    world.heal(5_000);
    expect(termsOf(world)).toEqual([2, undefined]);
  });

  it("the leader hears of a node that led while it was cut off, once it is back", () => {
    const world = worldOf(2);
    const [first, second] = world.nodes;
    first!.isPaused = true;
    world.advance(LEASE_MS + 3_000, () => 3);
    world.cut(second!);
    first!.isPaused = false;
    world.advance(5 * LEASE_MS, () => 3);
    expect(termsOf(world)).toEqual([2, 1]);
    const { leadership } = first!.replicator;
    expect(leadership.rivalUntil).toBeLessThan(first!.now);
    second!.connect();
    world.advance(1_000, () => 3);
    expect(termsOf(world)).toEqual([2, undefined]);
    expect(leadership.rivalUntil).toBeGreaterThan(first!.now - 1_000);
  });

  it("the leader reckons with a node that it knows from the register only", () => {
    const world = worldOf(1);
    const [first] = world.nodes;
    world.heal(2 * LEASE_MS);
    const { leadership } = first!.replicator;
    expect(leadership.rivalUntil).toBeLessThan(first!.now - 1_000);
    world.cut(first!);
    world.start();
    world.advance(1_000, () => 3);
    // The entry that says that it has joined is gone before the leader can read it.
    world.log.trim(0);
    first!.connect();
    world.advance(1_000, () => 3);
    expect(termsOf(world)).toEqual([1, undefined]);
    expect(leadership.rivalUntil).toBeGreaterThan(first!.now - 1_000);
  });

  it("a leader that was declared dead begins again, and the other one ends", () => {
    const world = worldOf(2);
    const [first, second] = world.nodes;
    first!.isPaused = true;
    world.advance(LEASE_MS + 3_000, () => 3);
    expect(second!.replicator.leadership.term).toBe(1);
    first!.isPaused = false;
    world.heal(1_000);
    expect(termsOf(world)).toEqual([2, undefined]);
  });
});
