import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ownPort } from "../../test/programs/own-port.ts";
import { APP, SECRET } from "../servers/app.ts";
import { serveForeign } from "./foreign-server.ts";
import { findSockudo } from "./sockudo-program.ts";

const port = await ownPort();
const folder = mkdtempSync(join(tmpdir(), "presence-bench-sockudo-"));
const configuration = join(folder, "config.json");
const UNLIMITED = 0;
writeFileSync(
  configuration,
  JSON.stringify({
    // By default it uses Redis for its queue, which is for webhooks.
    adapter: { driver: "local" },
    cache: { driver: "memory" },
    queue: { driver: "memory" },
    metrics: { enabled: false },
    // One address may connect only 20 times per minute by default.
    rate_limiter: { enabled: false },
    // As the others, it is quiet when nothing happens, so that no ping is taken for an event.
    activity_timeout: 3_600,
    shutdown_grace_period: 0,
    app_manager: {
      driver: "memory",
      array: {
        apps: [
          {
            id: APP.id,
            key: APP.id,
            secret: SECRET,
            enabled: true,
            max_connections: UNLIMITED,
            enable_client_messages: true,
            max_client_events_per_second: UNLIMITED,
          },
        ],
      },
    },
  }),
);
await serveForeign({
  command: findSockudo()!,
  args: ["--config", configuration],
  port,
  // It reads the environment last.
  env: { HOST: "127.0.0.1", PORT: String(port), RUST_LOG: "off" },
  cleanUp: () => rmSync(folder, { recursive: true, force: true }),
});
