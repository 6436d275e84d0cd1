import { loadUws } from "../../src/server/transport/uws/load-uws.ts";

const uws = loadUws();
/** Why tests of uWebSockets.js cannot run here. */
export const NO_UWS =
  uws.uws === undefined
    ? `no build of uWebSockets.js loads on Node ${process.version}: ${uws.reasons.join("; ")}`
    : undefined;
if (NO_UWS !== undefined) process.stdout.write(`uWebSockets.js is not tested: ${NO_UWS}\n`);

/** The transports that run on this machine. Every suite about the wire runs over each of them. */
export const TRANSPORTS: readonly ("ws" | "uws")[] = uws.uws === undefined ? ["ws"] : ["ws", "uws"];
