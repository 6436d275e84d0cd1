import { Buffer } from "node:buffer";
import { expect, it } from "vitest";
import { AppConfig } from "../../../src/server/auth/app.ts";
import { WebhookConfig } from "../../../src/server/auth/webhook-config.ts";
import { parseApps } from "../../../src/server/settings/parse-apps.ts";
import { settingsErrorOf } from "../../support/settings-error.ts";

const CANARY = "cAnArY";
const secretOf = (bytes: number) => `whsec_${Buffer.alloc(bytes, 0xfb).toString("base64")}`;
const SECRET = secretOf(32);
const URL_WITH_KEY = `https://example.com/hook?key=${CANARY}`;
const hook = (fields: object = {}) => ({ id: "hook", url: URL_WITH_KEY, secrets: [SECRET], ...fields });
const apps = (webhooks: unknown, fields: object = {}) => [
  { id: "app", secrets: [`${CANARY} of the app`], webhooks, ...fields },
];

it("takes a webhook with all of its fields", () => {
  const full = hook({
    secrets: [secretOf(24), secretOf(64)],
    filter: { userIds: ["alice"], hasFocus: true },
    count: true,
    intervalMs: 100,
  });
  expect(WebhookConfig.parse(full)).toMatchObject(full);
  expect(WebhookConfig.parse(hook())).toEqual(hook());
  expect(AppConfig.parse(apps([hook()])[0]).webhooks).toEqual([hook()]);
});

it.each<[string, unknown, RegExp]>([
  ["no list", {}, /at 0\.webhooks: /],
  ["seventeen", Array.from({ length: 17 }, (_, i) => hook({ id: `h${i}` })), /at most 16 webhooks$/],
  ["two of one id", [hook(), hook()], /at 0\.webhooks\.1\.id: is the id of another webhook of this app$/],
  ["no id", [hook({ id: "" })], /at 0\.webhooks\.0\.id: /],
  ["no secret", [hook({ secrets: [] })], /webhooks\.0\.secrets: must have 1 to 16 secrets$/],
  [
    "a short secret",
    [hook({ secrets: [secretOf(23)] })],
    /secrets\.0: must have 24 to 64 bytes after whsec_$/,
  ],
  ["a long secret", [hook({ secrets: [SECRET, secretOf(65)] })], /secrets\.1: must have 24 to 64 bytes/],
  ["a secret without prefix", [hook({ secrets: [SECRET.slice(6)] })], /secrets\.0: must begin with whsec_$/],
  ["a secret in base64url", [hook({ secrets: [SECRET.replaceAll("+", "-")] })], /secrets\.0: must be base64/],
  ["plain http", [hook({ url: `http://example.com/${CANARY}` })], /webhooks\.0\.url: must be an https URL/],
  ["a password", [hook({ url: `https://u:${CANARY}@example.com` })], /url: must be a URL without user/],
  ["no URL", [hook({ url: CANARY })], /webhooks\.0\.url: must be a URL$/],
  ["a short interval", [hook({ intervalMs: 99 })], /webhooks\.0\.intervalMs: /],
  ["a long interval", [hook({ intervalMs: 60_001 })], /webhooks\.0\.intervalMs: /],
  ["a misspelt field", [hook({ secret: [SECRET] })], /webhooks\.0\.secret: .*did you mean secrets\?$/],
  [
    "a misspelt field of the filter",
    [hook({ filter: { user_ids: ["alice"] } })],
    /webhooks\.0\.filter\.user_ids: is not known here: did you mean userIds\?$/,
  ],
  ["a bad filter", [hook({ filter: { hasFocus: "yes" } })], /webhooks\.0\.filter\.hasFocus: /],
  [
    "a key of custom that is not indexed",
    [hook({ filter: { custom: { page: "x" } } })],
    /webhooks\.0\.filter\.custom: asks for no key that the app has in indexedCustom/,
  ],
])("refuses %s in one line, which repeats neither secrets nor addresses", (_name, webhooks, expected) => {
  const message = settingsErrorOf(() => parseApps(apps(webhooks), "APPS"));
  expect(message).toMatch(expected);
  expect(message).not.toContain("\n");
  expect(message).not.toContain(CANARY);
  expect(message).not.toContain(SECRET.slice(6, 20));
});

it("takes a filter on custom that an index covers, or that names users", () => {
  const filter = { custom: { page: "x" } };
  expect(parseApps(apps([hook({ filter })], { indexedCustom: ["page"] }), "APPS")).toHaveLength(1);
  const named = { ...filter, userIds: ["alice"] };
  expect(parseApps(apps([hook({ filter: named })]), "APPS")).toHaveLength(1);
});
