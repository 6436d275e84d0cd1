import { App, type AppConfig } from "../../src/server/auth/app.ts";
import { GatewayNode } from "../../src/server/gateway/gateway-node.ts";
import type { SharedLimits } from "../../src/server/gateway/shared-limits.ts";
import type { Telemetry } from "../../src/server/gateway/telemetry.ts";
import { readSettings } from "../../src/server/settings/settings.ts";
import { testTelemetry } from "./stubs.ts";

export interface BareNodeOptions {
  readonly apps?: readonly AppConfig[];
  readonly env?: Record<string, string>;
  readonly telemetry?: Telemetry;
  readonly sharedLimits?: SharedLimits;
  readonly now?: () => number;
}

/** A node without sockets and timers, whose clock stands at 0 by default. */
export function bareNode(options: BareNodeOptions = {}): GatewayNode {
  const { apps = [], env = {}, telemetry, sharedLimits, now = () => 0 } = options;
  const { limits } = readSettings(env, { openFiles: 65_536, readFile: () => "" });
  let ids = 0;
  const node = new GatewayNode({
    apps: apps.map((app) => new App(app)),
    limits,
    clock: { now, wallNow: now },
    sharedLimits,
    telemetry: telemetry ?? testTelemetry(),
    nodeId: "node",
    makeId: () => `id-${++ids}`,
    random: () => 0,
  });
  node.stop();
  return node;
}
