import { describe, expect, it } from "vitest";
import { SubscriptionCharges } from "../../../src/server/gateway/subscription-charges.ts";
import { Random } from "../../support/random.ts";

function setUp(maxBytes = 100, maxFilters = 4) {
  const dropped: string[] = [];
  /** What views keep now; those that are not listed keep what they were charged. */
  const sizes = new Map<string, number>();
  const charges: SubscriptionCharges = new SubscriptionCharges(
    { maxBytes, maxFilters },
    (view) => void dropped.push(view),
    (view) => sizes.get(view),
  );
  return { charges, dropped, sizes };
}

describe("the charge of subscriptions", () => {
  it("is made once for a view, however many sockets subscribe to it", () => {
    const { charges } = setUp();
    expect([charges.subscribe("a", 60), charges.subscribe("a", 60), charges.bytes]).toEqual([true, true, 60]);
    charges.unsubscribe("a");
    expect(charges.bytes).toBe(60);
    charges.unsubscribe("a");
    expect([charges.bytes, charges.filters, charges.isEmpty]).toEqual([0, 0, true]);
  });

  it("stays while the view is idle, and is refunded when it is dropped", () => {
    const { charges } = setUp();
    charges.subscribe("a", 60);
    charges.unsubscribe("a");
    charges.onIdle("a", 70);
    expect([charges.bytes, charges.isEmpty]).toEqual([70, false]);
    charges.onIdleEnd("a");
    expect(charges.isEmpty).toBe(true);
  });

  it("drops the user's own idle views before anything is refused, the one idle longest first", () => {
    const { charges, dropped } = setUp();
    for (const view of ["a", "b", "c"]) charges.onIdle(view, 30);
    expect(charges.subscribe("d", 50)).toBe(true);
    expect(dropped).toEqual(["a", "b"]);
    expect(charges.bytes).toBe(80);
  });

  it("drops nothing if that would not make enough room", () => {
    const { charges, dropped } = setUp();
    charges.subscribe("a", 60);
    charges.onIdle("b", 30);
    expect([charges.subscribe("c", 50), charges.makeRoom(50), charges.reserve(50)]).toEqual([
      false,
      false,
      false,
    ]);
    expect([dropped, charges.bytes]).toEqual([[], 90]);
  });

  it("is limited in filters too", () => {
    const { charges, dropped } = setUp(100, 2);
    charges.subscribe("a", 1);
    charges.onIdle("b", 1);
    expect([charges.subscribe("c", 1), charges.subscribe("d", 1)]).toEqual([true, false]);
    expect(dropped).toEqual(["b"]);
    expect(charges.subscribe("a", 1)).toBe(true);
  });

  it("never drops a view to make room for that same view", () => {
    const { charges, dropped } = setUp();
    charges.onIdle("a", 90);
    expect(charges.subscribe("a", 95)).toBe(true);
    expect([dropped, charges.bytes]).toEqual([[], 95]);
    charges.unsubscribe("a");
    charges.onIdle("a", 90);
    expect(charges.subscribe("a", 101)).toBe(false);
    expect([dropped, charges.bytes]).toEqual([[], 90]);
  });

  it("keeps no idle view that grew too large", () => {
    const { charges, dropped } = setUp();
    charges.onIdle("a", 101);
    expect([dropped, charges.isEmpty]).toEqual([["a"], true]);
  });

  it("includes the growth of held views, for new subscriptions only", () => {
    const { charges, dropped, sizes } = setUp();
    charges.subscribe("a", 10);
    charges.subscribe("b", 10);
    charges.onIdle("c", 30);
    sizes.set("a", 200);
    expect([charges.makeRoom(1), charges.subscribe("d", 1)]).toEqual([false, false]);
    // What the user has goes on, and so do queries.
    expect([charges.subscribe("a", 200), charges.subscribe("b", 10), charges.reserve(40)]).toEqual([
      true,
      true,
      true,
    ]);
    expect([dropped, charges.bytes]).toEqual([[], 90]);
    charges.giveBack(40);
    // Smaller again, there is room, once the idle view is gone.
    sizes.set("a", 60);
    expect([charges.subscribe("d", 20), dropped, charges.bytes]).toEqual([true, ["c"], 40]);
    // What was charged is given back, and nothing is left of what had grown.
    for (const view of ["a", "a", "b", "b", "d"]) charges.unsubscribe(view);
    expect(charges.isEmpty).toBe(true);
  });

  it("includes waiting queries", () => {
    const { charges } = setUp();
    expect([charges.reserve(60), charges.reserve(60), charges.subscribe("a", 60)]).toEqual([
      true,
      false,
      false,
    ]);
    charges.giveBack(60);
    expect([charges.isEmpty, charges.subscribe("a", 60)]).toEqual([true, true]);
  });

  it("stays within its limits and adds up, whatever happens", () => {
    const random = new Random(11);
    const { charges } = setUp(1_000, 20);
    const held = new Map<string, number>();
    const queries: number[] = [];
    for (let step = 0; step < 4_000; step++) {
      const view = `v${random.below(40)}`;
      if (random.oneIn(2)) {
        if (charges.subscribe(view, 1 + random.below(200))) held.set(view, (held.get(view) ?? 0) + 1);
      } else if (random.oneIn(4)) {
        const bytes = random.below(100);
        if (charges.reserve(bytes)) queries.push(bytes);
      } else if (random.oneIn(3)) charges.giveBack(queries.pop() ?? 0);
      else if (held.has(view)) {
        charges.unsubscribe(view);
        held.set(view, held.get(view)! - 1);
        if (held.get(view) === 0) {
          held.delete(view);
          charges.onIdle(view, 1 + random.below(300));
        }
      }
      expect(charges.bytes).toBeLessThanOrEqual(1_000);
      expect(charges.filters).toBeLessThanOrEqual(20);
      expect(charges.filters).toBeGreaterThanOrEqual(held.size);
    }
    for (const [view, count] of held) for (let i = 0; i < count; i++) charges.unsubscribe(view);
    for (const bytes of queries) charges.giveBack(bytes);
    for (let i = 0; i < 40; i++) charges.onIdleEnd(`v${i}`);
    expect(charges.isEmpty).toBe(true);
  });
});
