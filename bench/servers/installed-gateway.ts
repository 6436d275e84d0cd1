import { fileURLToPath } from "node:url";
import { ownPort } from "../../test/programs/own-port.ts";
import { serveForeign } from "../peers/foreign-server.ts";
import { APP } from "./app.ts";
import { RAISED_LIMITS } from "./raised-limits.ts";

// The gateway as `presence-gateway` starts it, in a process of its own. It is measured from outside, as `top`
// does it.

const port = await ownPort();
await serveForeign({
  command: process.execPath,
  args: [fileURLToPath(new URL("gateway-program.js", import.meta.url))],
  port,
  env: { ...RAISED_LIMITS, PORT: String(port), APPS: JSON.stringify([APP]), LOG_LEVEL: "silent" },
});
