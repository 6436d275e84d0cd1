import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { VERSION } from "../../src/server/version.ts";

it("the version is that of the package", () => {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  expect(VERSION).toBe(JSON.parse(text).version);
});
