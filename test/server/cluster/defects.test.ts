import { describe, expect, it } from "vitest";
import { Random } from "../../support/random.ts";
import { seeds } from "../../support/seed.ts";
import { type FakeNode, LEASE_MS, WINDOW_MS } from "./fake-node.ts";
import { users, worldOf } from "./world.ts";

type Write = "applyRemote" | "applyRemoteEnd" | "reclaim" | "onOwnerLost";

/** Makes the writes to a node's presence fail, before or after they have taken effect. */
function breakPresence(node: FakeNode, when: (write: Write) => "before" | "after" | undefined): void {
  node.isFaulty = true;
  const { presence } = node;
  for (const write of ["applyRemote", "applyRemoteEnd", "reclaim", "onOwnerLost"] as const) {
    const real = presence[write].bind(presence) as (...args: unknown[]) => void;
    Object.assign(presence, {
      [write]: (...args: unknown[]) => {
        const where = when(write);
        if (where === "before") throw new Error(`${write} fails`);
        real(...args);
        if (where === "after") throw new Error(`${write} fails, afterwards`);
      },
    });
  }
}

describe("a defect that shows while something is taken in", () => {
  it("does not keep other records from being taken in, and its session is read again", () => {
    const world = worldOf(2);
    const [a, b] = world.nodes;
    let calls = 0;
    breakPresence(b!, () => (++calls === 3 ? "before" : undefined));
    for (let i = 0; i < 5; i++) a!.open(`user-${i}`, "widget", {});
    world.pump(a!, 3);
    // All five in one entry, of which the third fails.
    b!.read(Number.POSITIVE_INFINITY);
    expect(users(world)[1]).toEqual(["user-0", "user-1", "user-3", "user-4"]);
    expect(b!.defects).toHaveLength(1);
    expect(b!.replicator.isWhole).toBe(false);
    world.heal(3_000);
    expect(b!.events).toContain("defect");
    expect(b!.replicator.isWhole).toBe(true);
    world.compare();
    expect(calls).toBe(5 + 5);
  });

  it("is tried again ever less often if it stays, while the rest goes on, and mends when it goes", () => {
    const world = worldOf(2);
    const [a, b] = world.nodes;
    let isBroken = true;
    const { presence } = b!;
    const { applyRemote } = presence;
    b!.isFaulty = true;
    presence.applyRemote = (appId, sessionId, remote, owner, now) => {
      if (isBroken && remote.userId === "poison") throw new Error("it cannot be taken in");
      applyRemote.call(presence, appId, sessionId, remote, owner, now);
    };
    a!.open("poison", "widget", {});
    a!.open("alice", "widget", {});
    world.heal(60_000);
    expect(users(world)[1]).toEqual(["alice"]);
    expect(b!.replicator.isWhole).toBe(false);
    const tries = b!.events.filter((event) => event === "defect").length;
    expect(tries).toBeGreaterThan(2);
    expect(tries).toBeLessThan(10);
    a!.open("bob", "widget", {});
    world.heal(40);
    expect(users(world)[1]).toEqual(["alice", "bob"]);
    isBroken = false;
    world.heal(70_000);
    world.compare();
    expect(b!.replicator.isWhole).toBe(true);
  });

  it.each(seeds(30))("leads to no difference that stays (seed %i)", (seed) => {
    const random = new Random(seed);
    const world = worldOf(3);
    let isBroken = true;
    for (const node of world.nodes) {
      breakPresence(node, () => {
        if (!isBroken || !random.oneIn(8)) return undefined;
        return random.oneIn(2) ? "before" : "after";
      });
    }
    for (let round = 0; round < 60; round++) {
      const node = random.pick(world.nodes);
      const sessions = [...node.appPresence.table.all()];
      const session = sessions.length > 0 ? random.pick(sessions) : undefined;
      const isHeld = session !== undefined && node.socket.held.has(session.sessionId);
      switch (random.below(6)) {
        case 0:
        case 1:
          node.open(`user-${random.below(6)}`, "widget", {});
          break;
        case 2:
          if (isHeld) node.transact((sessions) => sessions.update(session, { custom: { n: String(round) } }));
          break;
        case 3:
          if (session !== undefined && !isHeld) node.resume(session.sessionId, { hasFocus: true });
          break;
        case 4:
          if (!isHeld) break;
          node.socket.held.delete(session.sessionId);
          node.transact((sessions) => sessions.end(session, "closed"));
          break;
        default:
          node.transact((sessions) => sessions.forceEndAll(`user-${random.below(6)}`));
      }
      world.advance(random.pick([10, 50, 300]), () => random.below(4));
    }
    isBroken = false;
    world.heal(LEASE_MS + 2 * WINDOW_MS + 70_000);
    expect(world.nodes.some(({ defects }) => defects.length > 0)).toBe(true);
    world.compare();
    for (const { replicator } of world.nodes) expect(replicator.isWhole).toBe(true);
  });
});
