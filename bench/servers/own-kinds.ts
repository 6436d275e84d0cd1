import { SEMI_SPACE_MIB } from "../../src/server/internals/young-generation.ts";
import { loadUws } from "../../src/server/transport/uws/load-uws.ts";
import { gatewayDialect } from "../load/gateway-dialect.ts";
import type { ServerKind } from "./server-kind.ts";
import { flagsWith, ServerProcess } from "./server-process.ts";

type Transport = "uws" | "ws";

/**
 * The gateway on each transport, and the bare library of each transport: the minimum cost of a server on it.
 */
export const OWN_KINDS: readonly ServerKind[] = [
  gateway("uws"),
  gateway("ws"),
  baseline("uws"),
  baseline("ws"),
];

function gateway(transport: Transport): ServerKind {
  const name = `gateway-${transport}`;
  const start = (script: string, env: Record<string, string>) =>
    startScript(name, transport, script, env, flagsWith(SEMI_SPACE_MIB));
  return {
    ...common(name, transport),
    role: "gateway",
    baseline: `baseline-${transport}`,
    start: (env = {}) => start("gateway.js", env),
    startAsInstalled: () => start("installed-gateway.js", {}),
  };
}

function baseline(transport: Transport): ServerKind {
  const name = `baseline-${transport}`;
  const script = `${name}.js`;
  return {
    ...common(name, transport),
    role: "baseline",
    start: (env = {}) => startScript(name, transport, script, env),
    startAsInstalled: () => startScript(name, transport, script, {}, []),
  };
}

function common(name: string, transport: Transport) {
  return {
    name,
    dialect: gatewayDialect,
    missing: async () => (transport === "uws" ? uwsMissing() : undefined),
  };
}

function startScript(
  name: string,
  transport: Transport,
  script: string,
  env: Record<string, string>,
  flags?: readonly string[],
): Promise<ServerProcess> {
  return ServerProcess.start(new URL(script, import.meta.url), name, { TRANSPORT: transport, ...env }, flags);
}

export function uwsMissing(): string | undefined {
  const { uws, ...loaded } = loadUws();
  if (uws !== undefined || !("reasons" in loaded)) return undefined;
  return `uWebSockets.js does not load here (${loaded.reasons.join("; ")})`;
}
