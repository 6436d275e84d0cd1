import type { Dialect } from "../load/dialect.ts";
import type { ServerKind } from "../servers/server-kind.ts";
import { ServerProcess } from "../servers/server-process.ts";
import { mapDialect } from "./centrifugal-dialect.ts";
import { buildCentrifuge, centrifugeVersion } from "./centrifuge-build.ts";
import { procMissing } from "./proc.ts";

const dialect: Dialect = {
  ...mapDialect,
  query: (conversation) => ({
    path: "/presence",
    body: JSON.stringify({ conversation }),
    users: (answer) => (JSON.parse(answer) as readonly object[]).length,
  }),
};

/** Centrifuge, the Go library of Centrifugo, with a map subscription per conversation. */
export const centrifuge: ServerKind = {
  name: "centrifuge",
  role: "peer",
  onlyInFullRuns: true,
  about: () =>
    `Centrifuge ${centrifugeVersion()}, the Go library of Centrifugo, in memory, ` +
    "with a recoverable map subscription per conversation",
  dialect,
  missing: async () => procMissing() ?? buildCentrifuge(),
  start: () => ServerProcess.start(new URL("centrifuge-server.js", import.meta.url), "centrifuge"),
};
