import { APP, SECRET } from "../servers/app.ts";
import { CENTRIFUGE } from "./centrifuge-build.ts";
import { serveForeign } from "./foreign-server.ts";
import { freePort } from "./free-port.ts";

const port = await freePort();
await serveForeign({
  command: CENTRIFUGE,
  args: [],
  port,
  env: { PORT: String(port), ISSUER: APP.id, SECRET },
  collect: (pid) => process.kill(pid, "SIGUSR1"),
});
