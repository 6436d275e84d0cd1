import { pino } from "pino";
import { expect, it } from "vitest";
import type { AppConfig } from "../../src/server/auth/app.ts";
import { JwksSources } from "../../src/server/auth/jwks-sources.ts";
import { createCounters } from "../../src/server/gateway/telemetry.ts";
import { NodeApps } from "../../src/server/node-apps.ts";
import { bareNode } from "../support/bare-node.ts";
import { settingsErrorOf } from "../support/settings-error.ts";

const SECRET = "a secret of an app, long enough to be one";
const app = (id: string, fields: Partial<AppConfig> = {}): AppConfig => ({
  id,
  secrets: [SECRET],
  ...fields,
});

function world(...apps: AppConfig[]) {
  const asked: string[] = [];
  const told: string[] = [];
  const log: string[] = [];
  const counters = createCounters();
  const nodeApps = new NodeApps({
    jwksSources: new JwksSources({
      fetchText: async (url) => {
        asked.push(url);
        return '{"keys":[]}';
      },
      now: () => 0,
      wallNow: () => 0,
      events: { fetched: () => {}, failed: () => {} },
    }),
    log: pino({}, { write: (line: string) => void log.push(line) }),
    telemetry: Object.assign(counters, {
      refused: () => {},
      crashed: () => {},
      observeDiffDelay: () => {},
      observeQuery: () => {},
    }),
  });
  nodeApps.start(apps);
  const node = bareNode({ apps });
  const served = () => [...node.presences()].map((presence) => presence.app.id);
  return {
    asked,
    told,
    log,
    counters,
    served,
    reload(...wanted: AppConfig[]) {
      const { added, changed, removed } = nodeApps.reload(wanted, node, undefined);
      told.push([added, changed, removed].map((list) => list.map((each) => each.app.id).join()).join(" "));
    },
  };
}

it("serves other apps from now on, and says which have changed", () => {
  const { told, log, counters, served, reload } = world(app("a"), app("b"), app("c"));
  reload(app("d"), app("b", { requireExp: true }), app("a"));
  expect(served()).toEqual(["a", "b", "d"]);
  expect(told).toEqual(["d b c"]);
  reload(app("d"), app("b", { requireExp: true }), app("a"));
  expect(told).toEqual(["d b c", "  "]);
  expect(counters.appReloads).toBe(2);
  expect(log.join("")).toMatch(/"added":1,"changed":1,"removed":1/);
  expect(log.join("")).not.toContain(SECRET);
});

it("changes nothing if it cannot change all", () => {
  const { told, counters, served, reload } = world(app("a"), app("b"));
  expect(settingsErrorOf(() => reload(app("c"), app("a", { shards: 2 })))).toMatch(
    /^shards of app "a" cannot/,
  );
  expect([served(), told, counters.appReloads]).toEqual([["a", "b"], [], 0]);
});

it("fetches the keys of a provider once, however the apps change, until no app names it", () => {
  const jwksUrl = "https://issuer.example/jwks";
  const { asked, reload } = world(app("a", { jwksUrl }), app("b", { jwksUrl }));
  reload(app("a", { jwksUrl, audience: "x" }), app("c", { jwksUrl }));
  expect(asked).toEqual([jwksUrl]);
  reload(app("a"));
  reload(app("a", { jwksUrl }));
  expect(asked).toEqual([jwksUrl, jwksUrl]);
});
