import { CompiledFilter } from "../../../src/core/views/compiled-filter.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";
import { App, type AppConfig } from "../../../src/server/auth/app.ts";
import type { AppPresence } from "../../../src/server/gateway/app-presence.ts";
import { GatewayNode } from "../../../src/server/gateway/gateway-node.ts";
import { ResultPages } from "../../../src/server/gateway/result-pages.ts";
import { createCounters } from "../../../src/server/gateway/telemetry.ts";
import { readSettings } from "../../../src/server/settings/settings.ts";

export const APP_ID = "test-app";
export const SECRET = "a secret of the test app, long enough to be one";
/** A fixed time in 2026. */
export const WALL_NOW = 1_780_000_000_000;

const EVERYBODY = new CompiledFilter(FilterSchema.parse({ includeBackgroundSessions: true }));
const WIDGETS = new CompiledFilter(FilterSchema.parse({}));
const NO_FILES = { openFiles: 65_536, readFile: () => "" };

/**
 * A gateway without sockets and with its own clock. Its whole state is visible. An internal error ends the
 * run.
 */
export class World {
  readonly node: GatewayNode;
  readonly presence: AppPresence;
  /** Milliseconds, set by the test. */
  time = 0;

  constructor(env: Record<string, string> = {}, app: Partial<AppConfig> = {}) {
    let ids = 0;
    const { limits } = readSettings(env, NO_FILES);
    this.node = new GatewayNode({
      apps: [new App({ id: APP_ID, secrets: [SECRET], ...app })],
      limits,
      clock: { now: () => this.time, wallNow: () => WALL_NOW },
      telemetry: {
        ...createCounters(),
        refused: () => {},
        crashed: (error) => {
          throw new Error("a defect was counted", { cause: error });
        },
        observeDiffDelay: () => {},
        observeQuery: () => {},
      },
      nodeId: "node",
      makeId: () => `id-${++ids}`,
      random: Math.random,
    });
    // Nothing happens here except by an input.
    this.node.stop();
    this.presence = this.node.presence(APP_ID)!;
  }

  /** Everything that a client could see, as text. */
  state(): string {
    const { table, views, subscriptions } = this.presence;
    let data = "";
    for (const filter of [EVERYBODY, WIDGETS]) {
      const pages = new ResultPages(filter, table);
      for (let more = true; more; ) {
        const page = pages.nextPage();
        data += page.members.join(",");
        more = page.more;
      }
    }
    return JSON.stringify([table.counts(), views, subscriptions, this.node.admissions.connections, data]);
  }
}
