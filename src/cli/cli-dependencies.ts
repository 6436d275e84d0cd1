/** What a program on this machine needs to use a gateway in development mode. */
export interface DevCredentials {
  readonly url: string;
  readonly appId: string;
  readonly secret: string;
}

/** A setting of the gateway, or several that belong together, as `serve --help` and the README show it. */
export interface SettingHelp {
  readonly names: readonly string[];
  /** undefined: there is no default. */
  readonly default: string | undefined;
  readonly text: string;
}

/** What the commands need of the parts that only the composition root may put together; it hands them in. */
export interface CliDependencies {
  readonly version: string;
  readonly settings: readonly SettingHelp[];
  /** Starts a gateway; resolves when it listens. */
  readonly serve: () => Promise<void>;
  /** What the gateway in development mode on this port of this machine has left for us. */
  readonly readDevCredentials: (port: number) => Promise<DevCredentials | undefined>;
}
