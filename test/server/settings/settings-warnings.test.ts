import { expect, it } from "vitest";
import type { GatewayConfig } from "../../../src/server/gateway/gateway-config.ts";
import { readSettings } from "../../../src/server/settings/settings.ts";
import { settingsWarnings, type WarningsInput } from "../../../src/server/settings/settings-warnings.ts";

const { limits: DEFAULTS } = readSettings({}, { openFiles: 65_536, readFile: () => "" });
const SECRET = "0123456789abcdef0123456789abcdef";

function warningsOf(input: Partial<WarningsInput>, limits: Partial<GatewayConfig> = {}): string[] {
  const plain = { apps: undefined, redisUrls: undefined, openFiles: 65_536, workers: 1 };
  return settingsWarnings({ ...plain, ...input, limits: { ...DEFAULTS, ...limits } });
}

it("there are none for the defaults", () => {
  expect(warningsOf({})).toEqual([]);
});

it.each<[keyof GatewayConfig, number, number, RegExp]>([
  ["resumeWindowMs", 1_999, 2_000, /^RESUME_WINDOW_MS is under 2 s/],
  ["heartbeatIntervalMs", 50_001, 50_000, /^HEARTBEAT_INTERVAL_MS is over 50 s/],
  ["typingTimeoutMs", 50, 51, /^TYPING_TIMEOUT_MS is not above DIFF_INTERVAL_MS/],
  ["diffIntervalMs", 2_001, 2_000, /^DIFF_INTERVAL_MS is over 2 s/],
  ["maxBufferedBytes", 65_535, 65_536, /^MAX_BUFFERED_BYTES is under 64 KiB/],
  ["maxConnections", 65_025, 65_024, /^MAX_CONNECTIONS is 65025, but this process may open only 65536 files/],
  ["maxConnectionsPerIp", 65_024, 65_023, /one address can keep all others out$/],
])("%s warns at %d and not at %d", (field, bad, good, expected) => {
  expect(warningsOf({}, { [field]: bad })).toEqual([expect.stringMatching(expected)]);
  expect(warningsOf({}, { [field]: good })).toEqual([]);
});

it("each worker has a limit of open files of its own", () => {
  const limits = { maxConnections: 2 * 65_024 };
  expect(warningsOf({ workers: 2 }, limits)).toEqual([]);
  expect(warningsOf({ workers: 2 }, { maxConnections: 2 * 65_024 + 1 })).toEqual([
    expect.stringMatching(/^MAX_CONNECTIONS is 130049, but each of 2 workers may open only 65536 files/),
  ]);
});

it("each app with a secret that could be guessed has a warning, which does not repeat the secret", () => {
  const apps = [
    { id: "one", secrets: [SECRET, "hunter2"] },
    { id: "two", secrets: [SECRET] },
  ];
  expect(warningsOf({ apps })).toEqual([
    'a secret of app "one" is shorter than 32 bytes and could be guessed',
  ]);
});

it.each([
  [["redis://127.0.0.1", "redis://[::1]:6379", "redis://localhost"], false],
  [["rediss://:hunter2@redis.example"], false],
  [["redis://redis.example"], true],
  [["redis://:hunter2@a", "redis://b"], true],
])("a Redis without a password is warned of where others reach it: %j is %j", (redisUrls, isOpen) => {
  const warnings = warningsOf({ apps: [{ id: "app", secrets: [SECRET] }], redisUrls });
  expect(warnings).toEqual(isOpen ? [expect.stringMatching(/^REDIS_URL has no password/)] : []);
});

it("nodes of a cluster without apps have no secret in common", () => {
  expect(warningsOf({ redisUrls: ["redis://127.0.0.1"] })).toEqual([
    expect.stringMatching(/^REDIS_URL without APPS/),
  ]);
});

it("what an app says about the tokens of a provider means nothing if it has no keys", () => {
  const app = { id: "app", secrets: [SECRET] };
  for (const field of ["issuer", "audience", "userIdClaim"]) {
    const warning = expect.stringMatching(/^issuer, audience and userIdClaim of app "app" mean nothing/);
    expect(warningsOf({ apps: [{ ...app, [field]: "x" }] })).toEqual([warning]);
    expect(warningsOf({ apps: [{ ...app, [field]: "x", jwksUrl: "https://issuer.example/" }] })).toEqual([]);
  }
});
