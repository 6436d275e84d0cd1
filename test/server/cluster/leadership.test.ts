import { describe, expect, it } from "vitest";
import { Leadership } from "../../../src/server/cluster/leadership.ts";
import { LEASE_MS, type World, worldOf } from "./world.ts";

const FIRST = { isWhole: true, hearsOthers: true, rank: 0 };
const termsOf = (world: World) => world.nodes.map(({ replicator }) => replicator.leadership.term);

describe("a node", () => {
  it("leads while it is the first", () => {
    const leadership = new Leadership();
    expect(leadership.term).toBeUndefined();
    leadership.update({ ...FIRST, rank: 1 });
    expect(leadership.term).toBeUndefined();
    leadership.update(FIRST);
    expect(leadership.term).toBe(1);
    leadership.update({ ...FIRST, rank: 1 });
    expect(leadership.term).toBeUndefined();
    leadership.update(FIRST);
    expect(leadership.term).toBe(2);
  });

  it("does not begin before it hears of the others, and goes on when it does not", () => {
    const leadership = new Leadership();
    leadership.update({ ...FIRST, hearsOthers: false });
    leadership.update({ ...FIRST, isWhole: false });
    expect(leadership.term).toBeUndefined();
    leadership.update(FIRST);
    leadership.update({ isWhole: false, hearsOthers: false, rank: 3 });
    leadership.update({ ...FIRST, hearsOthers: false });
    expect(leadership.term).toBe(1);
    leadership.resign();
    expect(leadership.term).toBeUndefined();
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

  it("the leader goes on after Redis has lost everything", () => {
    const world = worldOf(2);
    for (const node of world.nodes) world.cut(node);
    world.log.lose();
    // The other one is back first.
    world.nodes[1]!.connect();
    world.advance(500, () => 3);
    world.heal(5_000);
    expect(termsOf(world)).toEqual([1, undefined]);
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
