import type { Logger } from "pino";
import type { AppConfig } from "./auth/app.ts";
import { AppsFile } from "./settings/apps-file.ts";
import { readAppsFile, type Settings } from "./settings/settings.ts";
import { SettingsError } from "./settings/settings-error.ts";

/** What serves the apps. */
export interface Reloaded {
  /**
   * Serves these apps from now on. `text` is the file that they are from.
   *
   * @throws SettingsError if they cannot be served.
   */
  reload(apps: readonly AppConfig[], text: string): void;
  /** The apps could not be read anew. They stay as they are. */
  reloadFailed(reason: string): void;
}

/** Reads the apps anew while a gateway runs: when their file has changed, and when a signal asks for it. */
export class Reloads {
  readonly #settings: Pick<Settings, "appsFile" | "redisShards">;
  readonly #log: Pick<Logger, "warn">;
  #file: AppsFile | undefined;

  constructor(settings: Pick<Settings, "appsFile" | "redisShards">, log: Pick<Logger, "warn">) {
    this.#settings = settings;
    this.#log = log;
  }

  /** The gateway has started. */
  start(gateway: Reloaded): void {
    const { appsFile, redisShards } = this.#settings;
    if (appsFile !== undefined) {
      this.#file = new AppsFile(appsFile, {
        changed: (text) => applyApps(gateway, text, { path: appsFile.path, redisShards }, this.#log),
        failed: (reason) => gateway.reloadFailed(reason),
      });
      this.#file.watch();
    }
  }

  /** Reads the apps anew, also if their file has not changed. */
  request(): void {
    if (this.#file === undefined)
      this.#log.warn("SIGHUP changes nothing: there is no APPS_FILE to read anew");
    else void this.#file.check(true);
  }

  stop(): void {
    this.#file?.stop();
  }
}

/** Serves the apps of this text of their file, if it is valid. */
export function applyApps(
  gateway: Reloaded,
  text: string,
  { path, redisShards }: { readonly path: string; readonly redisShards: number },
  log: Pick<Logger, "warn">,
): void {
  try {
    const { apps, warnings } = readAppsFile(path, text, redisShards);
    gateway.reload(apps, text);
    for (const warning of warnings) log.warn(warning);
  } catch (error) {
    // Anything else is a defect, whose message may hold more than it should.
    gateway.reloadFailed(error instanceof SettingsError ? error.message : "unexpected error");
  }
}
