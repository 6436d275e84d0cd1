import { describe, expect, it } from "vitest";
import {
  choice,
  integer,
  json,
  readValues,
  type SettingsSource,
  text,
} from "../../../src/server/settings/setting.ts";
import { settingsErrorOf } from "../../support/settings-error.ts";

const source = (env: Record<string, string> = {}, files: Record<string, string> = {}): SettingsSource => ({
  text: (name) => env[name],
  host: {
    openFiles: undefined,
    readFile: (path) => {
      const content = files[path];
      if (content === undefined) throw Object.assign(new Error("no such file"), { code: "ENOENT" });
      return content;
    },
  },
});

describe("a whole number", () => {
  const help = "a number";
  const plain = integer({ env: "N", default: 5, min: 1, max: 10, help });
  const derived = integer({ env: "N", default: { text: "all", of: () => 7 }, min: 1, max: 10, help });
  const optional = integer({ env: "N", default: undefined, min: 1, max: 10, help });

  it("has a default: a number, one that follows from the source, or none", () => {
    expect([plain, derived, optional].map((setting) => setting.read(source()))).toEqual([5, 7, undefined]);
    expect([plain, derived, optional].map(({ defaultText }) => defaultText)).toEqual([
      "`5`",
      "all",
      undefined,
    ]);
  });

  it("has bounds, which the error names with the unit", () => {
    expect([1, 10].map((n) => plain.read(source({ N: String(n) })))).toEqual([1, 10]);
    expect(settingsErrorOf(() => plain.read(source({ N: "11" })))).toBe(
      'N must be a whole number from 1 to 10, but is "11"',
    );
    const inSeconds = integer({ env: "N", default: 5, min: 1, max: 10, unit: "seconds", help });
    expect(settingsErrorOf(() => inSeconds.read(source({ N: "x" })))).toMatch(
      /^N must be a whole number of seconds/,
    );
  });
});

it("a whole number may also be a word, if the setting says what it stands for", () => {
  const setting = integer({ env: "N", default: 1, min: 1, max: 9, auto: () => 4, help: "a number" });
  expect([undefined, "auto", "3"].map((N) => setting.read(source(N === undefined ? {} : { N })))).toEqual([
    1, 4, 3,
  ]);
  expect(settingsErrorOf(() => setting.read(source({ N: "Auto" })))).toBe(
    'N must be a whole number from 1 to 9, or auto, but is "Auto"',
  );
});

describe("a choice", () => {
  const setting = choice({ env: "C", default: "red", choices: ["red", "blue"], help: "a colour" });

  it("is one of its words", () => {
    expect([setting.read(source()), setting.read(source({ C: "blue" }))]).toEqual(["red", "blue"]);
    expect(settingsErrorOf(() => setting.read(source({ C: "Blue" })))).toBe(
      'C must be one of red, blue, but is "Blue"',
    );
  });
});

describe("a text", () => {
  it("is what its parser makes of it, or undefined", () => {
    const setting = text({ env: "T", parse: (given, env) => `${env}=${given}`, help: "a text" });
    expect([setting.read(source()), setting.read(source({ T: "x" }))]).toEqual([undefined, "T=x"]);
  });
});

describe("a JSON setting", () => {
  const setting = json({
    env: "J",
    fileEnv: "J_FILE",
    shape: "a list",
    parse: (value, env) => ({ value, env }),
    help: "a list",
  });
  const errorOf = (env: Record<string, string>, files?: Record<string, string>) =>
    settingsErrorOf(() => setting.read(source(env, files)));

  it("comes from its variable or from a file", () => {
    expect(setting.read(source())).toBeUndefined();
    expect(setting.read(source({ J: "[1]" }))).toEqual({ value: [1], env: "J" });
    expect(setting.read(source({ J_FILE: "/f" }, { "/f": "[2]\n" }))).toEqual({ value: [2], env: "J_FILE" });
  });

  it("does not come from both", () => {
    expect(errorOf({ J: "[1]", J_FILE: "/f" })).toBe("set J or J_FILE, not both");
  });

  it("says what cannot be read, without what is in it", () => {
    expect(errorOf({ J: "[hunter2" })).toBe("J is not JSON: it must be a list");
    expect(errorOf({ J_FILE: "/f" }, { "/f": "hunter2" })).toBe("J_FILE is not JSON: it must be a list");
    expect(errorOf({ J_FILE: "/nowhere" })).toBe('J_FILE "/nowhere" cannot be read (ENOENT)');
    expect(errorOf({ J_FILE: ' [{"secret":"hunter2"}]' })).toBe(
      "J_FILE must be a path: JSON itself goes into J",
    );
  });
});

it("a table of settings is read by field, up to the first that is not valid", () => {
  const table = {
    first: integer({ env: "FIRST", default: 1, min: 0, max: 9, help: "" }),
    second: choice({ env: "SECOND", default: "a", choices: ["a", "b"], help: "" }),
  };
  expect(readValues(table, source({ SECOND: "b" }))).toEqual({ first: 1, second: "b" });
  expect(settingsErrorOf(() => readValues(table, source({ FIRST: "x", SECOND: "x" })))).toMatch(/^FIRST /);
});
