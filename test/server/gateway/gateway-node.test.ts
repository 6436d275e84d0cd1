import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makeId } from "../../../src/core/ids.ts";
import { App } from "../../../src/server/auth/app.ts";
import { GatewayNode, type ManagedConnection } from "../../../src/server/gateway/gateway-node.ts";
import { readSettings } from "../../../src/server/settings/settings.ts";
import { bareNode } from "../../support/bare-node.ts";
import { testTelemetry } from "../../support/stubs.ts";

const OVER_MS = 1_500;

function delaysOf(peers: number, random: () => number): number[] {
  const { limits } = readSettings({}, { openFiles: 65_536, readFile: () => "" });
  const telemetry = testTelemetry();
  const clock = { now: () => 0, wallNow: () => 0 };
  const node = new GatewayNode({ apps: [], limits, clock, telemetry, nodeId: "n", makeId, random });
  node.stop();
  const delays: number[] = [];
  for (let i = 0; i < peers; i++)
    node.add({ drain: (ms: number) => delays.push(ms) } as unknown as ManagedConnection);
  void node.drain(OVER_MS);
  return delays;
}

it("a node that shuts down gives each client a different delay, where there are enough milliseconds", () => {
  const chance = fc.oneof(
    fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    fc.constant(1 - 2 ** -53),
  );
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: OVER_MS }),
      fc.array(chance, { minLength: 1 }),
      (peers, chances) => {
        let n = 0;
        const delays = delaysOf(peers, () => chances[n++ % chances.length]!);
        expect(new Set(delays).size).toBe(peers);
        expect(Math.min(...delays)).toBeGreaterThanOrEqual(0);
        expect(Math.max(...delays)).toBeLessThan(OVER_MS);
      },
    ),
    {
      examples: [594, 1338, 1364].map((peers): [number, number[]] => [peers, [0, 1 - 2 ** -53]]),
    },
  );
  expect(delaysOf(10_000, Math.random)).toHaveLength(10_000);
});

it("a connection that fails to drain keeps no other from being drained", () => {
  const defects: unknown[] = [];
  const node = bareNode({ telemetry: testTelemetry((error) => void defects.push(error)) });
  const drained: string[] = [];
  const fails = () => {
    throw new Error("a defect");
  };
  for (const drain of [fails, () => void drained.push("one"), fails, () => void drained.push("other")])
    node.add({ drain } as unknown as ManagedConnection);
  void node.drain(OVER_MS);
  expect([drained.sort(), defects.length]).toEqual([["one", "other"], 2]);
});

describe("the apps of a node", () => {
  const app = (id: string) => new App({ id, secrets: ["x"] });
  const told: string[] = [];
  const defects: unknown[] = [];
  const setUpNode = () => {
    const telemetry = testTelemetry((error) => void defects.push(error));
    const node = bareNode({ telemetry, apps: ["a", "b"].map((id) => ({ id, secrets: ["x"] })) });
    const connection = { onAppsChanged: () => void told.push("told") } as unknown as ManagedConnection;
    node.add({
      onAppsChanged: () => {
        throw new Error("a defect");
      },
    } as unknown as ManagedConnection);
    node.add(connection);
    return node;
  };

  it("change, and each connection is told, whatever happens to the others", () => {
    const node = setUpNode();
    const [a, b] = [node.presence("a")!, node.presence("b")!];
    const next = app("b");
    const changed = node.changeApps({ added: [app("c")], changed: [next], removed: ["a"] });
    expect([changed.added, changed.changed, changed.removed].map(([each]) => each?.app.id)).toEqual([
      "c",
      "b",
      "a",
    ]);
    expect([...node.presences()].map((presence) => presence.app.id)).toEqual(["b", "c"]);
    expect(b.app).toBe(next);
    expect([node.serves(a), node.serves(b)]).toEqual([false, true]);
    expect([told.splice(0), defects.splice(0)]).toEqual([["told"], [new Error("a defect")]]);
    expect(node.debugCounts().retiredApps).toBe(1);
    node.run(node.clock.now());
    expect(node.debugCounts().retiredApps).toBe(0);
  });

  it("may become more without telling any connection", () => {
    const node = setUpNode();
    node.changeApps({ added: [app("c")], changed: [], removed: [] });
    expect(told).toEqual([]);
  });

  it("count what they have done, also after they have gone", () => {
    const node = setUpNode();
    const { coalescedChanges } = node;
    node.changeApps({ added: [], changed: [], removed: ["a"] });
    node.run(node.clock.now());
    expect(node.coalescedChanges).toBe(coalescedChanges);
  });
});
