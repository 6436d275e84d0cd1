import { cpus, release, totalmem } from "node:os";
import { loadUws } from "../../src/server/transport/uws/load-uws.ts";
import { VERSION } from "../../src/server/version.ts";

/** The machine and the versions that the figures belong to, in one line. */
export function machineLine(): string {
  const processors = cpus();
  const { uws, ...loaded } = loadUws();
  return [
    processors[0]?.model.trim() || "unknown processor",
    `${processors.length} cores`,
    `${Math.round(totalmem() / 2 ** 30)} GiB`,
    `${process.platform} ${release()}`,
    `Node ${process.version}`,
    uws !== undefined && "source" in loaded ? `uWebSockets.js (${loaded.source})` : "no uWebSockets.js",
    `presence-gateway ${VERSION}`,
    new Date().toISOString().slice(0, 10),
  ].join(" · ");
}
