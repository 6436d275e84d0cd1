import { loadUws } from "../../src/server/transport/uws/load-uws.ts";

const uws = loadUws();
if (uws.uws === undefined) {
  process.stdout.write(
    `uWebSockets.js is not tested: no build loads on Node ${process.version} (${uws.reasons.join("; ")})\n`,
  );
}

/** The transports that run on this machine. Every suite about the wire runs over each of them. */
export const TRANSPORTS: readonly ("ws" | "uws")[] = uws.uws === undefined ? ["ws"] : ["ws", "uws"];
