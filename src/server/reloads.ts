import type { Logger } from "pino";
import type { Gateway } from "./server.ts";
import { AppsFile } from "./settings/apps-file.ts";
import { readAppsFile, type Settings } from "./settings/settings.ts";
import { SettingsError } from "./settings/settings-error.ts";

/** Reads the apps anew while a gateway runs: when their file has changed, and when a signal asks for it. */
export class Reloads {
  readonly #settings: Pick<Settings, "appsFile" | "redisShards">;
  readonly #log: Pick<Logger, "warn">;
  #file: AppsFile | undefined;
  #isStarted = false;
  /** Whether a signal has come before the gateway had started. */
  #isRequested = false;

  constructor(settings: Pick<Settings, "appsFile" | "redisShards">, log: Pick<Logger, "warn">) {
    this.#settings = settings;
    this.#log = log;
  }

  /** The gateway has started. */
  start(gateway: Pick<Gateway, "reload" | "reloadFailed">): void {
    this.#isStarted = true;
    const { appsFile, redisShards } = this.#settings;
    if (appsFile !== undefined) {
      this.#file = new AppsFile(appsFile, {
        changed: (text) => this.#apply(gateway, text, appsFile.path, redisShards),
        failed: (reason) => gateway.reloadFailed(reason),
      });
      this.#file.watch();
    }
    if (this.#isRequested) this.request();
  }

  /** Reads the apps anew, also if their file has not changed. */
  request(): void {
    this.#isRequested = true;
    if (!this.#isStarted) return;
    if (this.#file === undefined)
      this.#log.warn("SIGHUP changes nothing: there is no APPS_FILE to read anew");
    else void this.#file.check(true);
  }

  stop(): void {
    this.#file?.stop();
  }

  #apply(
    gateway: Pick<Gateway, "reload" | "reloadFailed">,
    text: string,
    path: string,
    redisShards: number,
  ): void {
    try {
      const { apps, warnings } = readAppsFile(path, text, redisShards);
      gateway.reload(apps);
      for (const warning of warnings) this.#log.warn(warning);
    } catch (error) {
      // Anything else is a defect, whose message may hold more than it should.
      gateway.reloadFailed(error instanceof SettingsError ? error.message : "unexpected error");
    }
  }
}
