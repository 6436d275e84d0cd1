import { loadUws } from "../../src/server/transport/uws/load-uws.ts";
import { gatewayDialect } from "../load/gateway-dialect.ts";
import type { ServerKind } from "./server-kind.ts";
import { ServerProcess } from "./server-process.ts";

/**
 * The gateway on each transport, and the bare library of each transport: the minimum cost of a server on it.
 */
export const OWN_KINDS: readonly ServerKind[] = [
  ...(["uws", "ws"] as const).map((transport) => ({
    ...own("gateway", transport, "gateway.js"),
    baseline: `baseline-${transport}`,
  })),
  ...(["uws", "ws"] as const).map((transport) => own("baseline", transport, `baseline-${transport}.js`)),
];

function own(role: "gateway" | "baseline", transport: "uws" | "ws", script: string): ServerKind {
  const name = `${role}-${transport}`;
  return {
    name,
    role,
    dialect: gatewayDialect,
    missing: async () => (transport === "uws" ? uwsMissing() : undefined),
    start: (env = {}) =>
      ServerProcess.start(new URL(script, import.meta.url), name, { TRANSPORT: transport, ...env }),
  };
}

export function uwsMissing(): string | undefined {
  const { uws, ...loaded } = loadUws();
  if (uws !== undefined || !("reasons" in loaded)) return undefined;
  return `uWebSockets.js does not load here (${loaded.reasons.join("; ")})`;
}
