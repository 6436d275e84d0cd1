import { expect, it } from "vitest";
import type { AppConfig } from "../../../src/server/auth/app.ts";
import { compareApps, summarizeApp } from "../../../src/server/auth/compare-apps.ts";

const SECRET = "a secret that no summary has";
const app = (id: string, fields: Partial<AppConfig> = {}): AppConfig => ({
  id,
  secrets: [SECRET],
  ...fields,
});
const compare = (before: AppConfig[], after: AppConfig[]) =>
  compareApps(new Map(before.map((config) => [config.id, summarizeApp(config)])), after);

it("tells which apps are new, have changed or are gone", () => {
  const changed = app("b", { secrets: ["other"] });
  expect(compare([app("a"), app("b"), app("c")], [app("d"), changed, app("a")])).toEqual({
    ok: true,
    added: [app("d")],
    changed: [changed],
    removed: ["c"],
  });
  expect(compare([app("a")], [app("a")])).toEqual({ ok: true, added: [], changed: [], removed: [] });
});

it.each<[Partial<AppConfig>, Partial<AppConfig>, string | undefined]>([
  [{}, { shards: 2 }, "shards"],
  [{ shards: 2 }, {}, "shards"],
  [{}, { shards: 1 }, undefined],
  [{}, { indexedCustom: ["a"] }, "indexedCustom"],
  [{ indexedCustom: ["a"] }, { indexedCustom: ["b"] }, "indexedCustom"],
  [{ indexedCustom: ["a"] }, {}, "indexedCustom"],
  [{ indexedCustom: ["a", "b"] }, { indexedCustom: ["b", "a", "a"] }, undefined],
  [{}, { indexedCustom: [] }, undefined],
])("a running app with %j cannot have %j: %s", (before, after, field) => {
  const difference = compare([app("a", before)], [app("new"), app("a", after)]);
  if (field === undefined) expect(difference.ok).toBe(true);
  else expect(difference).toEqual({ ok: false, appId: "a", field });
});

it("a summary has no secret", () => {
  expect(JSON.stringify(summarizeApp(app("a")))).not.toContain(SECRET);
});
