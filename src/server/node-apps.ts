import type { Logger } from "pino";
import { App, type AppConfig } from "./auth/app.ts";
import { type AppSummary, type AppsDifference, compareApps, summarizeApp } from "./auth/compare-apps.ts";
import type { JwksSources } from "./auth/jwks-sources.ts";
import type { Cluster } from "./cluster/cluster.ts";
import type { ChangedApps, GatewayNode } from "./gateway/gateway-node.ts";
import type { Telemetry } from "./gateway/telemetry.ts";
import { quote } from "./settings/one-line.ts";
import { SettingsError } from "./settings/settings-error.ts";

export interface NodeAppsOptions {
  readonly jwksSources: JwksSources;
  readonly log: Logger;
  readonly telemetry: Telemetry;
}

/**
 * What changes if these apps are served from now on. @throws SettingsError if an app differs in what cannot
 * change while it runs.
 */
export function differenceOf(
  running: ReadonlyMap<string, AppSummary>,
  wanted: readonly AppConfig[],
): Extract<AppsDifference, { ok: true }> {
  const difference = compareApps(running, wanted);
  if (difference.ok) return difference;
  const { appId, field } = difference;
  throw new SettingsError(`${field} of app ${quote(appId)} cannot change while it runs: restart all nodes`);
}

/** The apps that a node serves, as they are configured now, and the change to others while it runs. */
export class NodeApps {
  readonly #options: NodeAppsOptions;
  readonly #running = new Map<string, AppSummary>();
  readonly #jwksUrls = new Map<string, string>();

  constructor(options: NodeAppsOptions) {
    this.#options = options;
  }

  /** The apps that a node serves from its start. */
  start(configs: readonly AppConfig[]): readonly App[] {
    const apps = configs.map((config) => this.#create(config));
    for (const config of configs) this.#note(config);
    return apps;
  }

  /**
   * Serves these apps from now on: all of them, or none of the change is done. Returns what has changed.
   *
   * @throws SettingsError if an app differs in what cannot change while it runs.
   */
  reload(configs: readonly AppConfig[], node: GatewayNode, cluster: Cluster | undefined): ChangedApps {
    const { log, telemetry, jwksSources } = this.#options;
    const difference = differenceOf(this.#running, configs);
    const { removed } = difference;
    const added = difference.added.map((config) => this.#create(config));
    const changed = difference.changed.map((config) => this.#create(config));
    // From here on nothing fails.
    if (added.length > 0) cluster?.addApps(difference.added);
    const result = node.changeApps({ added, changed, removed });
    for (const appId of removed) {
      this.#running.delete(appId);
      this.#jwksUrls.delete(appId);
    }
    for (const config of [...difference.added, ...difference.changed]) this.#note(config);
    jwksSources.keepOnly(new Set(this.#jwksUrls.values()));
    telemetry.appReloads++;
    log.info({ added: added.length, changed: changed.length, removed: removed.length }, "read the apps anew");
    return result;
  }

  #create(config: AppConfig): App {
    const { jwksUrl } = config;
    return new App(config, jwksUrl === undefined ? undefined : this.#options.jwksSources.of(jwksUrl));
  }

  #note(config: AppConfig): void {
    const { id, jwksUrl } = config;
    this.#running.set(id, summarizeApp(config));
    if (jwksUrl === undefined) this.#jwksUrls.delete(id);
    else this.#jwksUrls.set(id, jwksUrl);
  }
}
