import { expect, it } from "vitest";
import { balancesPorts, hasReusePort } from "../../../src/server/transport/reuse-port.ts";

it.each([
  ["linux", "20.20.2", false],
  ["linux", "22.11.0", false],
  ["linux", "22.12.0", true],
  ["linux", "23.0.0", false],
  ["linux", "23.1.0", true],
  ["linux", "24.0.0", true],
  ["darwin", "24.0.0", false],
])("on %s with Node %s node:http shares a port: %s", (platform, version, expected) => {
  expect(hasReusePort(platform, version)).toBe(expected);
});

it("only Linux spreads connections over processes", () => {
  expect(["linux", "darwin", "win32"].map((platform) => balancesPorts(platform))).toEqual([
    true,
    false,
    false,
  ]);
});
