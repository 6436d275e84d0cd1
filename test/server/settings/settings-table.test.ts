import { describe, expect, it } from "vitest";
import type { SettingsSource } from "../../../src/server/settings/setting.ts";
import { LIMIT_SETTINGS, SETTINGS, tcpCapacity } from "../../../src/server/settings/settings-table.ts";
import { settingsErrorOf } from "../../support/settings-error.ts";

/** Values of a whole number that are none. */
const NO_INTEGERS = [
  "x",
  " ",
  "1.5",
  "1e3",
  "0x10",
  "+1",
  "1_000",
  "1,000",
  "10s",
  "NaN",
  "Infinity",
  "9".repeat(400),
  "100\n",
  "١",
];

const ALL = Object.entries(SETTINGS);
const INTEGERS = ALL.flatMap(([field, setting]) =>
  setting.kind === "integer" ? [{ field, name: setting.env[0], setting }] : [],
);
const CHOICES = ALL.flatMap(([field, setting]) =>
  setting.kind === "choice" ? [{ field, name: setting.env[0], setting }] : [],
);

const source = (env: Record<string, string>, openFiles: number | undefined = 65_536): SettingsSource => ({
  text: (name) => env[name],
  host: { openFiles, readFile: () => "" },
});

describe("the table of settings", () => {
  it("has each variable once, with a line of help", () => {
    const names = ALL.flatMap(([, { env }]) => env);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
    for (const [, { help }] of ALL) expect(help).toMatch(/^[^\n|]+$/);
    expect(INTEGERS.length + CHOICES.length).toBeGreaterThan(20);
  });

  describe.each(INTEGERS)("$name", ({ name, setting }) => {
    const { min, max } = setting;

    it("has a default within its bounds, or none", () => {
      const value = setting.read(source({}));
      expect(value === undefined || (value >= min && value <= max)).toBe(true);
      if (typeof setting.default === "number") expect(setting.defaultText).toBe(`\`${value}\``);
    });

    it.each([min, max])("may be %d", (value) => {
      expect(setting.read(source({ [name]: String(value) }))).toBe(value);
    });

    it.each([String(min - 1), String(max + 1), ...NO_INTEGERS])("may not be %j", (value) => {
      const message = settingsErrorOf(() => setting.read(source({ [name]: value })));
      expect(message).toMatch(
        new RegExp(`^${name} must be a whole number.* from ${min} to ${max}(, or auto)?, but is "`),
      );
    });
  });

  describe.each(CHOICES)("$name", ({ name, setting }) => {
    const choices: readonly string[] = setting.choices;

    it.each(choices)("may be %s", (value) => {
      expect(setting.read(source({ [name]: value }))).toBe(value);
    });

    it.each([choices[0]!.toUpperCase(), "other", "__proto__", `${choices[0]}\n${choices[1]}`])(
      "may not be %j",
      (value) => {
        expect(settingsErrorOf(() => setting.read(source({ [name]: value })))).toMatch(
          new RegExp(`^${name} must be one of ${choices.join(", ")}, `),
        );
      },
    );
  });
});

describe("METRICS_TOKEN", () => {
  const read = (token: string) => SETTINGS.metricsToken.read(source({ METRICS_TOKEN: token }));

  it.each(["metrics", "two words", "é.+/=%"])("may be %j", (token) => {
    expect(read(token)).toBe(token);
  });

  it.each(["hunter2\n", " hunter2", "hunter2 ", "hun\u0000ter2", " "])(
    "may not be %j, as it would never match",
    (token) => {
      const message = settingsErrorOf(() => read(token));
      expect(message).toMatch(/^METRICS_TOKEN must not begin or end with a space/);
      expect(message).not.toContain("hunter2");
    },
  );
});

describe("WORKERS", () => {
  const withCores = (cores: number | undefined) => ({
    text: (name: string) => ({ WORKERS: "auto" })[name],
    host: { openFiles: 1_024, cores, readFile: () => "" },
  });

  it.each([
    [8, 8],
    [1, 1],
    [100, 64],
    [undefined, 1],
  ])("auto with %s cores is %d", (cores, workers) => {
    expect(SETTINGS.workers.read(withCores(cores))).toBe(workers);
  });

  it("gives each worker its share of the connections", () => {
    expect(LIMIT_SETTINGS.maxConnections.read(withCores(4))).toBe(4 * 512);
  });
});

describe("the default number of connections", () => {
  const { maxConnections, maxConnectionsPerIp } = LIMIT_SETTINGS;

  it.each([
    [65_536, 65_024, 65_408],
    [1_024, 512, 896],
    [256, 64, 128],
    [64, 64, 64],
  ])("with %d open files is %d, of %d TCP connections", (openFiles, connections, tcp) => {
    expect(maxConnections.read(source({}, openFiles))).toBe(connections);
    expect(tcpCapacity(source({}, openFiles))).toBe(tcp);
  });

  it("of one address is half of all where they are few, unless the number of all is set", () => {
    expect(maxConnectionsPerIp.read(source({}, 65_536))).toBe(1_000);
    expect(maxConnectionsPerIp.read(source({}, 1_024))).toBe(256);
    expect(maxConnectionsPerIp.read(source({}, 64))).toBe(32);
    expect(maxConnectionsPerIp.read(source({ MAX_CONNECTIONS: "512" }, 1_024))).toBe(1_000);
  });
});
