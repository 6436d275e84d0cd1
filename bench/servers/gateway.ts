import { createLog } from "../../src/server/observability/log.ts";
import { startGateway } from "../../src/server/server.ts";
import { readSettings } from "../../src/server/settings/settings.ts";
import { APP, appIdOf } from "./app.ts";
import { serveRequests } from "./ipc.ts";
import { RAISED_LIMITS } from "./raised-limits.ts";

const { BENCH_APPS = "1", BENCH_INDEXED_CUSTOM } = process.env;
const apps = Array.from({ length: Number(BENCH_APPS) }, (_, i) => ({
  ...APP,
  id: appIdOf(i),
  ...(BENCH_INDEXED_CUSTOM === undefined ? {} : { indexedCustom: BENCH_INDEXED_CUSTOM.split(",") }),
}));
const settings = readSettings({
  ...RAISED_LIMITS,
  PORT: "0",
  ...process.env,
  APPS: JSON.stringify(apps),
});
const gateway = await startGateway(settings, settings.apps!, createLog("silent").logger);

/** Sessions without sockets, in numbers that a benchmark cannot open over the network. */
export interface Population {
  readonly users: number;
  readonly usersPerConversation: number;
}

function populate({ users, usersPerConversation }: Population): void {
  const presence = gateway.node.presence(APP.id)!;
  const holder = { onSessionTaken() {} };
  const now = gateway.node.clock.now();
  presence.transact(now, (sessions) => {
    for (let i = 0; i < users; i++) {
      const selectedConversationId = `conversation-${Math.floor(i / usersPerConversation)}`;
      sessions.open(`user-${i}`, "widget", { selectedConversationId }, holder);
    }
  });
}

serveRequests(gateway.port, (text) => populate(JSON.parse(text)));
