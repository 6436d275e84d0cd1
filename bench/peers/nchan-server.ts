import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ownPort } from "../../test/programs/own-port.ts";
import { serveForeign } from "./foreign-server.ts";
import { findNchan, findNginx } from "./nchan.ts";

const port = await ownPort();
const folder = mkdtempSync(join(tmpdir(), "presence-bench-nginx-"));
const configuration = join(folder, "nginx.conf");
writeFileSync(
  configuration,
  `daemon off;
# Several workers lose messages under load: if the clock of one lags,
# the others reject "a message from the past".
worker_processes 1;
load_module ${findNchan()};
pid nginx.pid;
error_log stderr crit;
events {
  worker_connections 8192;
}
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location ~ ^/publish/(.+)$ {
      nchan_publisher websocket;
      nchan_channel_id $1;
    }
    location ~ ^/subscribe/(.+)$ {
      nchan_subscriber websocket;
      nchan_channel_id $1;
      nchan_subscriber_first_message newest;
    }
  }
}
`,
);
await serveForeign({
  command: findNginx()!,
  args: ["-p", folder, "-c", configuration, "-e", "stderr"],
  port,
  cleanUp: () => rmSync(folder, { recursive: true, force: true }),
});
