import { gatewayDialect } from "../load/gateway-dialect.ts";
import type { ServerKind } from "../servers/server-kind.ts";
import { ServerProcess } from "../servers/server-process.ts";
import { packageVersion } from "./package-version.ts";

/** A simple gateway over ws that speaks presence.v1. */
export const naive: ServerKind = {
  name: "naive-ws",
  role: "peer",
  onlyInFullRuns: true,
  about: () => `ws ${packageVersion("ws")}, a Map of rows, and a loop over all sockets for each event`,
  dialect: { ...gatewayDialect, coalesces: false },
  missing: async () => undefined,
  start: () => ServerProcess.start(new URL("naive-server.js", import.meta.url), "naive-ws"),
};
