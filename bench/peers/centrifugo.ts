import type { Dialect } from "../load/dialect.ts";
import type { ServerKind } from "../servers/server-kind.ts";
import { ServerProcess } from "../servers/server-process.ts";
import { mapDialect, presenceDialect } from "./centrifugal-dialect.ts";
import { centrifugoVersion, findCentrifugo } from "./centrifugo-program.ts";
import { procMissing } from "./proc.ts";

/** What both modes need. The token of an app has no user, so its client is an anonymous one. */
const OPEN_TO_ALL = { allow_subscribe_for_client: true, allow_subscribe_for_anonymous: true };

/** The options of a conversation's channel. */
export const CENTRIFUGO_MODES = {
  map: {
    ...OPEN_TO_ALL,
    subscription_type: "map",
    map: {
      mode: "recoverable",
      key_ttl: "1h",
      client_key: "client_id",
      allow_publish_for_client: true,
      allow_remove_for_client: true,
    },
  },
  presence: { ...OPEN_TO_ALL, presence: true, join_leave: true, allow_publish_for_client: true },
} as const;

export type CentrifugoMode = keyof typeof CENTRIFUGO_MODES;

/** Centrifugo itself, as its project ships it. It is not built here, because that takes four minutes. */
export const centrifugo: readonly ServerKind[] = [
  kind("map", mapDialect, "a recoverable map subscription per conversation"),
  kind("presence", presenceDialect, "a channel with presence, joins and leaves per conversation"),
];

function kind(mode: CentrifugoMode, dialect: Dialect, setUp: string): ServerKind {
  const name = `centrifugo-${mode}`;
  return {
    name,
    role: "peer",
    ...(mode === "map" ? {} : { onlyInFullRuns: true }),
    about: () => `Centrifugo ${centrifugoVersion(findCentrifugo()!)}, in memory, with ${setUp}`,
    dialect,
    scenarios: ["fan-out", "queued-fan-out", "burst", "idle", "gross-memory", "connect"],
    missing: async () => {
      if (findCentrifugo() !== undefined) return procMissing();
      return "go install github.com/centrifugal/centrifugo/v6@latest, which takes four minutes and Go 1.26";
    },
    start: () =>
      ServerProcess.start(new URL("centrifugo-server.js", import.meta.url), name, { CENTRIFUGO_MODE: mode }),
  };
}
