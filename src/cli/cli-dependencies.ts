/** The credentials of a gateway in development mode, for programs on the same machine. */
export interface DevCredentials {
  readonly url: string;
  readonly appId: string;
  readonly secret: string;
}

/** A setting of the gateway, or several related ones, as `serve --help` and the README show it. */
export interface SettingHelp {
  readonly names: readonly string[];
  /** Undefined if there is no default. */
  readonly default: string | undefined;
  readonly text: string;
}

/** Functions for the commands that only the composition root may assemble. It passes them in. */
export interface CliDependencies {
  readonly version: string;
  readonly settings: readonly SettingHelp[];
  /** Runs a gateway until a signal ends it. */
  readonly serve: () => Promise<void>;
  /** The credentials stored by the gateway in development mode on this port of this machine. */
  readonly readDevCredentials: (port: number) => Promise<DevCredentials | undefined>;
}
