import { quote } from "./one-line.ts";
import { SettingsError } from "./settings-error.ts";

/** What settings need to know of the machine. */
export interface HostInfo {
  /** How many files this process may have open; undefined if it cannot be told. */
  readonly openFiles: number | undefined;
  /** How many cores this process may use; undefined if it cannot be told. */
  readonly cores?: number | undefined;
  readonly readFile: (path: string) => string;
}

/** Where settings are read from. */
export interface SettingsSource {
  /** The value of an environment variable; undefined if it is unset or empty. */
  readonly text: (env: string) => string | undefined;
  readonly host: HostInfo;
}

/**
 * One setting. Its reader, the text of `serve --help`, the row in the README and the tests all follow from
 * it. `help` and `defaultText` are Markdown.
 */
export interface Setting<Value> {
  /** The environment variables that set it. */
  readonly env: readonly [name: string, ...others: string[]];
  readonly help: string;
  /** undefined: there is no default. */
  readonly defaultText: string | undefined;
  /** @throws SettingsError if the value is not valid. */
  readonly read: (source: SettingsSource) => Value;
}

/** The values of a table of settings, by field. */
export type ValuesOf<Table> = {
  readonly [Field in keyof Table]: Table[Field] extends Setting<infer Value> ? Value : never;
};

/** Reads all settings of a table. @throws SettingsError for the first that is not valid. */
export function readValues<Table extends Readonly<Record<string, Setting<unknown>>>>(
  table: Table,
  source: SettingsSource,
): ValuesOf<Table> {
  const values = Object.entries(table).map(([field, setting]) => [field, setting.read(source)]);
  return Object.fromEntries(values) as ValuesOf<Table>;
}

/** A default that depends on the machine or on another setting. */
export interface DerivedDefault {
  /** How the documents say it. */
  readonly text: string;
  readonly of: (source: SettingsSource) => number;
}

interface IntegerOptions<Default> {
  readonly env: string;
  readonly default: Default;
  readonly min: number;
  readonly max: number;
  /** The plural of what is counted, for error messages. */
  readonly unit?: string;
  /** The number for the word `auto`, if that may be given. */
  readonly auto?: (source: SettingsSource) => number;
  readonly help: string;
}

/** A setting that is a whole number. */
export interface IntegerSetting<Value = number> extends Setting<Value> {
  readonly kind: "integer";
  readonly default: number | DerivedDefault | undefined;
  readonly min: number;
  readonly max: number;
}

/** A whole number from `min` to `max`. Without a default its value may be undefined. */
export function integer(options: IntegerOptions<number | DerivedDefault>): IntegerSetting;
export function integer(options: IntegerOptions<undefined>): IntegerSetting<number | undefined>;
export function integer(
  options: IntegerOptions<number | DerivedDefault | undefined>,
): IntegerSetting<number | undefined> {
  const { env, default: fallback, min, max, unit, auto, help } = options;
  const what = unit === undefined ? "a whole number" : `a whole number of ${unit}`;
  const orAuto = auto === undefined ? "" : ", or auto";
  return {
    kind: "integer",
    env: [env],
    default: fallback,
    min,
    max,
    help,
    defaultText: defaultTextOf(fallback),
    read: (source) => {
      const text = source.text(env);
      if (text === undefined) return typeof fallback === "object" ? fallback.of(source) : fallback;
      if (auto !== undefined && text === "auto") return auto(source);
      const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
      if (value >= min && value <= max) return value;
      throw new SettingsError(`${env} must be ${what} from ${min} to ${max}${orAuto}, but is ${quote(text)}`);
    },
  };
}

function defaultTextOf(fallback: number | DerivedDefault | undefined): string | undefined {
  if (fallback === undefined) return undefined;
  return typeof fallback === "number" ? `\`${fallback}\`` : fallback.text;
}

/** A setting that is one of a few words. */
export interface ChoiceSetting<Choice extends string> extends Setting<Choice> {
  readonly kind: "choice";
  readonly choices: readonly Choice[];
}

export function choice<Choice extends string>(options: {
  readonly env: string;
  readonly default: NoInfer<Choice>;
  readonly choices: readonly Choice[];
  readonly help: string;
}): ChoiceSetting<Choice> {
  const { env, default: fallback, choices, help } = options;
  return {
    kind: "choice",
    env: [env],
    choices,
    help,
    defaultText: `\`${fallback}\``,
    read: (source) => {
      const text = source.text(env);
      if (text === undefined) return fallback;
      const found = choices.find((each) => each === text);
      if (found !== undefined) return found;
      throw new SettingsError(`${env} must be one of ${choices.join(", ")}, but is ${quote(text)}`);
    },
  };
}

/** A setting that is a text, or what a parser makes of it; undefined if it is unset. */
export interface TextSetting<Value> extends Setting<Value | undefined> {
  readonly kind: "text";
}

export function text<Value>(options: {
  readonly env: string;
  /** What holds without it, for the documents. */
  readonly defaultText?: string;
  /** @throws SettingsError, with a message that begins with `env`. */
  readonly parse: (text: string, env: string) => Value;
  readonly help: string;
}): TextSetting<Value> {
  const { env, defaultText, parse, help } = options;
  return {
    kind: "text",
    env: [env],
    help,
    defaultText,
    read: (source) => {
      const given = source.text(env);
      return given === undefined ? undefined : parse(given, env);
    },
  };
}

/**
 * A setting that is JSON, in a variable or in a file that another variable names; undefined if neither is
 * set.
 */
export interface JsonSetting<Value> extends Setting<Value | undefined> {
  readonly kind: "json";
}

export function json<Value>(options: {
  readonly env: string;
  /** The variable that names a file instead. */
  readonly fileEnv: string;
  /** What it must be, with an example, for the error about text that is not JSON. */
  readonly shape: string;
  /** @throws SettingsError, with a message that begins with `env`. */
  readonly parse: (value: unknown, env: string) => Value;
  readonly help: string;
}): JsonSetting<Value> {
  const { env, fileEnv, shape, parse, help } = options;
  return {
    kind: "json",
    env: [env, fileEnv],
    help,
    defaultText: undefined,
    read: (source) => {
      const inline = source.text(env);
      const path = source.text(fileEnv);
      if (inline !== undefined && path !== undefined) {
        throw new SettingsError(`set ${env} or ${fileEnv}, not both`);
      }
      if (path !== undefined) return parse(parseJson(readFileAt(path, source), fileEnv, shape), fileEnv);
      return inline === undefined ? undefined : parse(parseJson(inline, env, shape), env);
    },
  };

  function readFileAt(path: string, { host }: SettingsSource): string {
    // Secrets in the wrong variable: they must not be repeated as the name of a file.
    if (/^\s*[[{]/.test(path)) {
      throw new SettingsError(`${fileEnv} must be a path: JSON itself goes into ${env}`);
    }
    try {
      return host.readFile(path);
    } catch (error) {
      const { code = "unknown error" } = error as NodeJS.ErrnoException;
      throw new SettingsError(`${fileEnv} ${quote(path)} cannot be read (${code})`);
    }
  }
}

function parseJson(json: string, env: string, shape: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw new SettingsError(`${env} is not JSON: it must be ${shape}`);
  }
}
