import fc from "fast-check";
import { expect, it } from "vitest";
import { makeId } from "../../../src/core/ids.ts";
import { GatewayNode, type ManagedConnection } from "../../../src/server/gateway/gateway-node.ts";
import { readSettings } from "../../../src/server/settings/settings.ts";
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
