import assert from "node:assert/strict";
import { addressKey } from "../../../src/server/gateway/admission.ts";
import { readSettings, type Settings } from "../../../src/server/settings/settings.ts";
import { SettingsError } from "../../../src/server/settings/settings-error.ts";
import type { Random } from "../../support/random.ts";
import type { Outcome, Target } from "../fuzz.ts";
import { mutateText, nearTo } from "../mutate.ts";
import { APPS, WORDS } from "../samples.ts";

/** Part of every secret in the samples. An error must not repeat it. */
const CANARY = "cAnArY";
const NUMBERS = [
  "PORT",
  "DIFF_INTERVAL_MS",
  "RESUME_WINDOW_MS",
  "MAX_CONNECTIONS",
  "MESSAGES_PER_SECOND",
  "MAX_SESSIONS_PER_USER",
  "DRAIN_MS",
];
const GOOD: readonly (readonly [name: string, ...values: string[]])[] = [
  ...NUMBERS.map((name) => [name, "50", "1000", "0", "65535", "1e3", "0x10"] as const),
  ["HOST", "127.0.0.1", "localhost", "::1", "0.0.0.0"],
  ["TRUST_PROXY", "10.0.0.0/8", "loopback, 192.168.0.0/255.255.0.0", "::1", "2001:db8::/32,127.0.0.1"],
  ["LOG_LEVEL", "info", "trace"],
  ["TRANSPORT", "auto", "ws"],
  ["NODE_ID", "node-1"],
  ["NODE_LEASE_MS", "100", "10000"],
  ["REDIS_URL", "redis://localhost", `rediss://user:${CANARY}@host:6379/3`, `redis://a,redis://:${CANARY}@b`],
  ["REDIS_SHARDS", "1", "12"],
  ["REDIS_LOG_BYTES", "67108864", "4194304"],
  ["TERMINATION_GRACE_MS", "30000"],
  ["METRICS_TOKEN", "a token"],
];
const ADDRESSES = [
  "127.0.0.1",
  "10.1.2.3",
  "::1",
  "::ffff:10.0.0.1",
  "2001:db8::1",
  "",
  "x",
  "10.0.0.1:80",
  "\ud800",
];

const apps = nearTo(
  APPS.map((list) => list.map((app) => ({ ...app, secrets: app.secrets.map((secret) => CANARY + secret) }))),
  WORDS,
  8,
);

/** An environment, as JSON. */
function make(random: Random): string {
  const env: Record<string, string> = {};
  if (!random.oneIn(4)) env[random.oneIn(20) ? "APPS_FILE" : "APPS"] = apps(random).replaceAll("\u0000", "");
  for (let n = random.below(3); n > 0; n--) {
    const [name, ...values] = random.pick(GOOD);
    const value = random.pick(values);
    env[name] = random.oneIn(2) ? value : mutateText(random, value);
  }
  return JSON.stringify(env);
}

export const settings: Target = {
  name: "settings",
  inputs: 20_000,
  make,
  check(input): Outcome {
    const env = JSON.parse(input) as Record<string, string>;
    let read: Settings;
    try {
      read = readSettings(env, { openFiles: 65_536, readFile: () => env.APPS ?? "" });
    } catch (error) {
      assert(error instanceof SettingsError, error as Error);
      assert(error.message.length < 400, error.message);
      assert.doesNotMatch(error.message, /[\p{Cc}\p{Zl}\p{Zp}]/u);
      assert(!error.message.includes(CANARY), error.message);
      return "refused";
    }
    for (const limit of Object.values(read.limits)) assert(Number.isSafeInteger(limit) && limit >= 0);
    assert(Number.isInteger(read.port) && read.port >= 0 && read.port <= 65_535);
    for (const warning of read.warnings) {
      assert(warning.length < 400 && !warning.includes(CANARY), warning);
    }
    for (const address of [...ADDRESSES, env.HOST ?? "", env.TRUST_PROXY ?? ""]) {
      assert.equal(typeof read.trustProxy(address, 0), "boolean");
      assert.equal(typeof addressKey(address), "string");
    }
    return "taken";
  },
};
