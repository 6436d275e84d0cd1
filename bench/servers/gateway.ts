import { createLog } from "../../src/server/observability/log.ts";
import { startPrimary } from "../../src/server/serve-primary.ts";
import { serveWorker } from "../../src/server/serve-worker.ts";
import { startGateway } from "../../src/server/server.ts";
import { readSettings } from "../../src/server/settings/settings.ts";
import { WORKER_VARIABLE } from "../../src/server/workers/fork-worker.ts";
import { usageWithWorkers } from "../peers/proc.ts";
import { APP, appIdOf } from "./app.ts";
import { collectGarbage, serveRequests } from "./ipc.ts";
import { RAISED_LIMITS } from "./raised-limits.ts";

const { BENCH_APPS = "1", BENCH_INDEXED_CUSTOM } = process.env;
const apps = Array.from({ length: Number(BENCH_APPS) }, (_, i) => ({
  ...APP,
  id: appIdOf(i),
  ...(BENCH_INDEXED_CUSTOM === undefined ? {} : { indexedCustom: BENCH_INDEXED_CUSTOM.split(",") }),
}));
/** Workers get it too. */
Object.assign(process.env, {
  ...RAISED_LIMITS,
  LOG_LEVEL: "silent",
  PORT: "0",
  ...process.env,
  APPS: JSON.stringify(apps),
});
if (process.env[WORKER_VARIABLE] !== undefined) await serveWorker();
const settings = readSettings(process.env);
if (settings.workers > 1) await serveWorkers();
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

/** A gateway with workers: this process is the first one, and all of them are measured. Never returns. */
async function serveWorkers(): Promise<never> {
  const primary = await startPrimary(settings, createLog("silent").logger, undefined);
  serveRequests(await primary.whole, undefined, {
    usage: () => usageWithWorkers(process.pid),
    collectGarbage,
    end: () => primary.stop(),
  });
  return await new Promise<never>(() => {});
}
