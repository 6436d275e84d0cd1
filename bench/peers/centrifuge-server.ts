import { ownPort } from "../../test/programs/own-port.ts";
import { APP, SECRET } from "../servers/app.ts";
import { CENTRIFUGE } from "./centrifuge-build.ts";
import { serveForeign } from "./foreign-server.ts";

const port = await ownPort();
await serveForeign({
  command: CENTRIFUGE,
  args: [],
  port,
  env: { PORT: String(port), ISSUER: APP.id, SECRET },
  collect: (pid) => process.kill(pid, "SIGUSR1"),
});
