import { expect, it } from "vitest";
import { makeId } from "../../../src/core/ids.ts";
import { App } from "../../../src/server/auth/app.ts";
import { GatewayNode } from "../../../src/server/gateway/gateway-node.ts";
import type { Refusal } from "../../../src/server/gateway/telemetry.ts";
import { answerUpgrade } from "../../../src/server/gateway/upgrade.ts";
import { readSettings } from "../../../src/server/settings/settings.ts";
import { testTelemetry } from "../../support/stubs.ts";

const { limits } = readSettings({ MAX_CONNECTIONS_PER_IP: "2" }, { openFiles: 65_536, readFile: () => "" });

function setUp() {
  const refusals: Refusal[] = [];
  const details: (string | undefined)[] = [];
  const node = new GatewayNode({
    apps: [new App({ id: "app", secrets: ["x"], allowedOrigins: ["https://a.example"] })],
    limits,
    clock: { now: () => 0, wallNow: () => 0 },
    telemetry: {
      ...testTelemetry(),
      refused: (refusal, detail) => {
        refusals.push(refusal);
        details.push(detail);
      },
    },
    nodeId: "n",
    makeId,
    random: () => 0,
  });
  node.stop();
  const request = { appId: "app", origin: undefined, address: "10.0.0.1", boundsFirstMessage: false };
  const upgrade = (fields: object) => answerUpgrade(node, { ...request, ...fields });
  return { node, refusals, details, upgrade };
}

it.each([
  [{ appId: "other" }, 404, "unknown_app"],
  [{ origin: "https://b.example" }, 403, "origin"],
] as const)("refuses a request with %j by %i, and counts it", (fields, status, refusal) => {
  const { node, refusals, upgrade } = setUp();
  expect(upgrade(fields)).toMatchObject({ ok: false, status });
  expect(refusals).toEqual([refusal]);
  expect(node.debugCounts()).toMatchObject({ connections: 0, newcomers: 0 });
});

it("says in the log why a page is refused, without what its browser sent", () => {
  const { details, upgrade } = setUp();
  upgrade({ origin: "https://b.example" });
  expect(details).toEqual(["the page's origin is not in the app's allowedOrigins"]);
});

it("admits as many as an address may have, and gives the place of an abandoned one to another", () => {
  const { node, refusals, upgrade } = setUp();
  const first = upgrade({ origin: "https://a.example" });
  expect([first.ok, upgrade({}).ok]).toEqual([true, true]);
  expect(upgrade({})).toMatchObject({ ok: false, status: 429 });
  expect(refusals).toEqual(["connections_per_address"]);
  expect(node.debugCounts()).toMatchObject({ connections: 2, newcomers: 2 });
  if (first.ok) first.abandon();
  expect(node.debugCounts()).toMatchObject({ connections: 1, newcomers: 1 });
  expect(upgrade({}).ok).toBe(true);
});
