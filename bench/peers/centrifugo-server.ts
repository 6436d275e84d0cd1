import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ownPort } from "../../test/programs/own-port.ts";
import { APP, SECRET } from "../servers/app.ts";
import { CENTRIFUGO_MODES, type CentrifugoMode } from "./centrifugo.ts";
import { findCentrifugo } from "./centrifugo-program.ts";
import { serveForeign } from "./foreign-server.ts";

const mode = process.env.CENTRIFUGO_MODE as CentrifugoMode;
const port = await ownPort();
const folder = mkdtempSync(join(tmpdir(), "presence-bench-centrifugo-"));
const configuration = join(folder, "config.json");
// As the others, it is quiet when nothing happens, so that no ping is taken for an event.
const quiet = "1h";
writeFileSync(
  configuration,
  JSON.stringify({
    http_server: { address: "127.0.0.1", port },
    log: { level: "error" },
    usage_stats: { disabled: true },
    debug: { enabled: true },
    client: {
      token: { hmac_secret_key: SECRET, issuer: APP.id },
      ping_interval: quiet,
      pong_timeout: "-1s",
    },
    channel: { without_namespace: CENTRIFUGO_MODES[mode] },
  }),
);
await serveForeign({
  command: findCentrifugo()!,
  args: ["-c", configuration],
  port,
  collect() {
    const request = get(`http://127.0.0.1:${port}/debug/pprof/heap?gc=1`, (response) => response.resume());
    // A server that has ended is noticed by its exit.
    request.on("error", () => {});
  },
  cleanUp: () => rmSync(folder, { recursive: true, force: true }),
});
