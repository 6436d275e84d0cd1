import { describe, expect, it } from "vitest";
import type { HostInfo } from "../../../src/server/settings/setting.ts";
import { readSettings } from "../../../src/server/settings/settings.ts";
import { LIMIT_SETTINGS, SETTINGS } from "../../../src/server/settings/settings-table.ts";
import { settingsErrorOf } from "../../support/settings-error.ts";

const LONG = "a secret that is long enough for anybody";
const APPS = JSON.stringify([{ id: "app", secrets: [LONG] }]);

function machine(files: Record<string, string> = {}, openFiles: number | undefined = 65_536): HostInfo {
  return {
    openFiles,
    readFile: (path) => {
      const text = files[path];
      if (text === undefined) throw Object.assign(new Error(`no such file: ${path}`), { code: "ENOENT" });
      return text;
    },
  };
}

const read = (env: Record<string, string>, on = machine()) => readSettings(env, on);

const messageOf = (env: Record<string, string>, on = machine()) => settingsErrorOf(() => read(env, on));

const NAMES = Object.values(SETTINGS).flatMap(({ env }) => env);

describe("settings", () => {
  it("have defaults, without apps and with", () => {
    const settings = read({});
    expect(settings).toMatchObject({
      host: "127.0.0.1",
      port: 8080,
      transport: "auto",
      apps: undefined,
      nodeId: undefined,
      redisUrls: undefined,
      nodeLeaseMs: 10_000,
      logLevel: "info",
      metricsToken: undefined,
      warnings: [],
    });
    expect(settings.limits).toMatchObject({ maxConnections: 65_536 - 512, maxConnectionsPerIp: 1_000 });
    expect(Object.keys(settings.limits)).toEqual(Object.keys(LIMIT_SETTINGS));
    expect(settings.trustProxy("127.0.0.1", 0)).toBe(false);
    expect(read({ APPS })).toMatchObject({
      host: "0.0.0.0",
      apps: [{ id: "app", secrets: [LONG] }],
      warnings: [],
    });
  });

  it("that are empty are unset", () => {
    const empty = read(Object.fromEntries(NAMES.map((name) => [name, ""])));
    expect(JSON.stringify(empty)).toBe(JSON.stringify(read({})));
  });

  it.each([
    ["NODE_ID", "a\nb"],
    ["NODE_ID", "x".repeat(256)],
    ["REDIS_URL", "localhost:6379"],
    ["TRUST_PROXY", "everybody"],
  ])("%s may not be %j", (name, value) => {
    expect(messageOf({ [name]: value })).toMatch(new RegExp(`^${name} `));
  });

  it("leave room for the number of a worker in NODE_ID", () => {
    const NODE_ID = "n".repeat(253);
    expect(read({ NODE_ID }).nodeId).toBe(NODE_ID);
    expect(messageOf({ NODE_ID, WORKERS: "2" })).toMatch(/^NODE_ID must have at most 252 characters/);
    expect(read({ NODE_ID: NODE_ID.slice(1), WORKERS: "2" }).workers).toBe(2);
  });

  describe("HOST", () => {
    it.each([
      "0.0.0.0",
      "::",
      "192.168.1.2",
      "example.com",
      "127.0.0.1.example.com",
      "localhost.example.com",
    ])("%s needs apps", (HOST) => {
      expect(messageOf({ HOST })).toMatch(/^HOST .*APPS/);
      expect(read({ HOST, APPS }).host).toBe(HOST);
    });

    it.each(["127.0.0.1", "127.1.2.3", "::1", "localhost"])("%s does not", (HOST) => {
      expect(read({ HOST }).host).toBe(HOST);
    });
  });

  describe("APPS", () => {
    const TOLD = "this-one-is-secret-and-told-to-nobody";
    const BAD: [name: string, apps: unknown][] = [
      ["no JSON", `[{"id":"app","secrets":["${TOLD}"]`],
      ["no JSON in another way", `id: app, secrets: ${TOLD}`],
      ["the secret alone", TOLD],
      ["no list", { id: "app", secrets: [TOLD] }],
      ["an empty list", []],
      ["null", null],
      ["a text", TOLD],
      ["no app", [TOLD]],
      ["no id", [{ secrets: [TOLD] }]],
      ["an empty id", [{ id: "", secrets: [TOLD] }]],
      ["an id with a control character", [{ id: "a\u0000", secrets: [TOLD] }]],
      ["an id that is a number", [{ id: 1, secrets: [TOLD] }]],
      ["no secrets", [{ id: "app" }]],
      ["an empty list of secrets", [{ id: "app", secrets: [] }]],
      ["an empty secret", [{ id: "app", secrets: [TOLD, ""] }]],
      ["a secret that is a number", [{ id: "app", secrets: [TOLD, 1] }]],
      ["a secret that is too long", [{ id: "app", secrets: [TOLD.repeat(40)] }]],
      ["too many secrets", [{ id: "app", secrets: Array.from({ length: 17 }, () => TOLD) }]],
      ["secrets that are a text", [{ id: "app", secrets: TOLD }]],
      ["a misspelled field", [{ id: "app", secrets: [TOLD], alowedOrigins: [] }]],
      ["an origin with a path", [{ id: "app", secrets: [TOLD], allowedOrigins: ["https://example.com/"] }]],
      ["an origin in capitals", [{ id: "app", secrets: [TOLD], allowedOrigins: ["https://Example.com"] }]],
      [
        "an origin with its usual port",
        [{ id: "app", secrets: [TOLD], allowedOrigins: ["https://example.com:443"] }],
      ],
      ["an origin with a star", [{ id: "app", secrets: [TOLD], allowedOrigins: ["*"] }]],
      ["another grant", [{ id: "app", secrets: [TOLD], userGrant: "some" }]],
      ["requireExp as a text", [{ id: "app", secrets: [TOLD], requireExp: "yes" }]],
      [
        "the same id twice",
        [
          { id: "app", secrets: [TOLD] },
          { id: "app", secrets: [`${TOLD}2`] },
        ],
      ],
    ];

    it.each(BAD)("may not be %s, and the error repeats no secret", (_name, apps) => {
      const text = typeof apps === "string" ? apps : JSON.stringify(apps);
      const message = messageOf({ APPS: text });
      expect(message).toMatch(/^APPS /);
      expect(message).not.toContain(TOLD.slice(0, 12));
      const fromFile = messageOf({ APPS_FILE: "/apps.json" }, machine({ "/apps.json": text }));
      expect(fromFile).toMatch(/^APPS_FILE /);
      expect(fromFile).not.toContain(TOLD.slice(0, 12));
    });

    it("may come from a file", () => {
      expect(read({ APPS_FILE: "/apps.json" }, machine({ "/apps.json": `\n${APPS}\n` })).apps).toHaveLength(
        1,
      );
    });

    it("is not looked for in a file that is not there", () => {
      expect(messageOf({ APPS_FILE: "/nowhere.json" })).toMatch(/^APPS_FILE "\/nowhere.json" .*ENOENT/);
    });

    it("put into APPS_FILE by mistake is not repeated either", () => {
      const message = messageOf({ APPS_FILE: JSON.stringify([{ id: "a", secrets: [TOLD] }]) });
      expect(message).toMatch(/^APPS_FILE /);
      expect(message).not.toContain(TOLD.slice(0, 12));
    });

    it("is set once: here or in a file", () => {
      expect(messageOf({ APPS, APPS_FILE: "/apps.json" })).toMatch(/APPS or APPS_FILE/);
    });

    it("may have ids that mean something to JavaScript", () => {
      const apps = ["__proto__", "constructor", "👩‍💻", "a/b"].map((id) => ({ id, secrets: [LONG] }));
      expect(read({ APPS: JSON.stringify(apps) }).apps?.map(({ id }) => id)).toEqual(
        apps.map(({ id }) => id),
      );
    });
  });

  describe("warn of", () => {
    it.each<[string, Record<string, string>, RegExp]>([
      [
        "a secret that could be guessed",
        { APPS: '[{"id":"app","secrets":["hunter2"]}]' },
        /secret of app "app"/,
      ],
      ["more connections than files", { MAX_CONNECTIONS: "65536" }, /MAX_CONNECTIONS/],
      [
        "a lease that is short",
        { APPS, REDIS_URL: "redis://127.0.0.1", NODE_LEASE_MS: "4999", HEARTBEAT_INTERVAL_MS: "10000" },
        /NODE_LEASE_MS/,
      ],
      [
        "one of several that is",
        { APPS, REDIS_URL: "redis://:hunter2@a,redis://b" },
        /REDIS_URL has no password/,
      ],
      [
        "clients that notice late that their node has gone",
        { APPS, REDIS_URL: "redis://127.0.0.1", HEARTBEAT_INTERVAL_MS: "20000" },
        /HEARTBEAT_INTERVAL_MS .* NODE_LEASE_MS and RESUME_WINDOW_MS/,
      ],
    ])("%s", (_name, env, expected) => {
      const { warnings } = read(env);
      expect(warnings).toEqual([expect.stringMatching(expected)]);
      expect(warnings[0]).not.toContain("hunter2");
    });

    it("nothing that is just right", () => {
      const env = { RESUME_WINDOW_MS: "2000", HEARTBEAT_INTERVAL_MS: "50000", MAX_CONNECTIONS: "65024" };
      expect(read({ ...env, TYPING_TIMEOUT_MS: "51", MAX_BUFFERED_BYTES: "65536" }).warnings).toEqual([]);
      const redis = { APPS, REDIS_URL: "rediss://user:hunter2@redis.example/3", NODE_LEASE_MS: "5000" };
      expect(read({ ...redis, HEARTBEAT_INTERVAL_MS: "14999" }).warnings).toEqual([]);
    });
  });

  describe("that do not fit each other", () => {
    it("stop the start, and the error says what to change", () => {
      const redis = { REDIS_URL: "redis://127.0.0.1" };
      expect(messageOf({ TERMINATION_GRACE_MS: "14999" })).toMatch(
        /^TERMINATION_GRACE_MS is 14999, .* raise it to 15000, .* or lower DRAIN_MS$/,
      );
      expect(messageOf({ ...redis, APPS: '[{"id":"big","secrets":["x"],"shards":2}]' })).toMatch(
        /^app "big" has 2 shards, but REDIS_SHARDS is 1/,
      );
    });

    it("are those alone", () => {
      expect(read({ REDIS_URL: "redis://127.0.0.1", NODE_LEASE_MS: "100" }).nodeLeaseMs).toBe(100);
      expect(read({ TERMINATION_GRACE_MS: "15000" }).warnings).toEqual([]);
      expect(read({ TERMINATION_GRACE_MS: "5000", DRAIN_MS: "0" }).warnings).toEqual([]);
      const apps = '[{"id":"big","secrets":["0123456789abcdef0123456789abcdef"],"shards":4}]';
      expect(read({ APPS: apps, REDIS_SHARDS: "4" })).toMatchObject({ redisShards: 4, warnings: [] });
    });

    it("several addresses of one Redis Cluster", () => {
      const { redisUrls } = read({ REDIS_URL: "redis://u:a,b@one:7000, redis://u:a,b@two:7001" });
      expect(redisUrls).toEqual(["redis://u:a,b@one:7000", "redis://u:a,b@two:7001"]);
    });
  });

  it("leave room for some connections where few files may be open, or their limit is unknown", () => {
    expect(read({}, machine({}, 256)).limits.maxConnections).toBeGreaterThanOrEqual(64);
    // One address does not have all places where they are few.
    expect(read({}, machine({}, 1_024)).limits).toMatchObject({
      maxConnections: 512,
      maxConnectionsPerIp: 256,
    });
    expect(read({ MAX_CONNECTIONS_PER_IP: "900" }, machine({}, 1_024)).limits.maxConnectionsPerIp).toBe(900);
    expect(read({}, { ...machine(), openFiles: undefined }).limits.maxConnections).toBeGreaterThan(1_000);
  });
});
