import { expect, it } from "vitest";
import { parseApps } from "../../../src/server/settings/parse-apps.ts";
import { ProviderKey, privateForms } from "../../support/identity-provider.ts";
import { settingsErrorOf } from "../../support/settings-error.ts";

const SECRET = "hunter2-hunter2";
const RSA = new ProviderKey("RS256", "k1");
const PRIVATE = privateForms(RSA);
const app = (fields: object = {}) => ({ id: "app", secrets: [SECRET], ...fields });

it("takes a list of apps, with all of their fields", () => {
  const apps = [
    app({ allowedOrigins: ["https://app.example"], userGrant: "all", requireExp: true, shards: 4 }),
    app({
      id: "other",
      keys: [{ publicKey: RSA.pem, kid: "k1" }, { publicKey: RSA.jwk }],
      jwksUrl: "https://issuer.example/jwks.json",
      issuer: "https://issuer.example/",
      audience: "presence",
      userIdClaim: "https://issuer.example/user",
    }),
  ];
  expect(parseApps(apps, "APPS")).toEqual(apps);
});

it.each<[unknown, RegExp]>([
  [null, /^APPS is not valid: /],
  [[], /must have 1 to 10000 apps$/],
  [[app(), "x"], /^APPS is not valid at 1: /],
  [{ id: "app" }, /^APPS is not valid: must be an array such as \[\{"id":/],
  [[{ id: "app" }], /at 0\.secrets: must be an array of texts, such as \["/],
  [[{ id: "app", secrets: SECRET }], /at 0\.secrets: must be an array of texts, such as \["/],
  [[{ id: "app", secret: [SECRET] }], /at 0\.secret: .* did you mean secrets\?$/],
  [[app({ secrets: [SECRET, ""] })], /at 0\.secrets\.1: must have 1 to 1024 characters$/],
  [[app({ allowedOrigins: ["*"] })], /at 0\.allowedOrigins\.0: must be an origin/],
  [[app({ alowedOrigins: [] })], /at 0\.alowedOrigins: .* did you mean allowedOrigins\?$/],
  [[app({ shards: 257 })], /at 0\.shards: /],
  [[app({ keys: [{ publicKey: PRIVATE.pem }] })], /at 0\.keys\.0\.publicKey: is a private key/],
  [[app({ keys: [{ publicKey: PRIVATE.jwk }] })], /at 0\.keys\.0\.publicKey: is a private key/],
  [
    [app({ keys: [{ publicKey: { kty: "oct", k: "aHVudGVyMi1odW50ZXIy" } }] })],
    /at 0\.keys\.0\.publicKey: is a symmetric key/,
  ],
  [[app({ keys: [{ publicKey: "x" }] })], /at 0\.keys\.0\.publicKey: must be one block of PEM/],
  [[app({ keys: [{ publicKey: RSA.pem.slice(0, 99) }] })], /at 0\.keys\.0\.publicKey: must be one block/],
  [[app({ keys: [{ publicKey: 1 }] })], /at 0\.keys\.0\.publicKey: must be a public key in PEM, or a JWK/],
  [[app({ keys: [{ publicKey: RSA.pem, kid: "" }] })], /at 0\.keys\.0\.kid: must have 1 to/],
  [[app({ keys: [{ publicKey: RSA.pem, alg: "RS256" }] })], /at 0\.keys\.0\.alg: Unrecognized key/],
  [[app({ keys: Array(17).fill({ publicKey: RSA.pem }) })], /at 0\.keys: must have at most 16 keys/],
  [[app({ secrets: [RSA.pem] })], /at 0\.secrets\.0: is a public key, which belongs into keys/],
  [[app({ jwksUrl: "http://issuer.example/" })], /at 0\.jwksUrl: must be an https URL/],
  [[app({ jwksUrl: `https://a:${SECRET}@issuer.example/` })], /at 0\.jwksUrl: must be a URL without user/],
  [[app({ issuer: 1 })], /at 0\.issuer: /],
])("says where %j is wrong, and repeats no secret", (apps, expected) => {
  const message = settingsErrorOf(() => parseApps(apps, "APPS"));
  expect(message).toMatch(expected);
  expect(message).not.toContain(SECRET);
  expect(message).not.toContain(PRIVATE.jwk.d);
  expect(message).not.toContain("\n");
});

it.each([
  "null",
  "file://",
  "capacitor://localhost",
  "tauri://localhost",
  "app://.",
  "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
  "http://localhost:3000",
])("takes the origin %s as it is", (origin) => {
  const apps = [app({ allowedOrigins: [origin] })];
  expect(parseApps(apps, "APPS")).toEqual(apps);
});

it.each([
  "",
  "*",
  "NULL",
  "app.example.com",
  "https://",
  "https://*.example.com",
  "https://app.example.com/",
  "https://app.example.com:443",
  "HTTPS://app.example.com",
  "wss://app.example.com",
  "ftp://app.example.com",
  "data://x",
  "blob:https://app.example.com",
  "file:///",
  "file:",
  "capacitor://localhost/",
  "capacitor://localhost/index.html",
  "capacitor:localhost",
  "Capacitor://localhost",
  "app://a b",
  "app://user@host",
  "app://host?x",
  "app://host#x",
  "app://*",
  "app://b\u00fccher",
  "app://host\n",
  "://host",
])("refuses the origin %j in one line, and says what one is", (origin) => {
  const message = settingsErrorOf(() => parseApps([app({ allowedOrigins: [origin] })], "APPS"));
  expect(message).toMatch(/^APPS is not valid at 0\.allowedOrigins\.0: must be an origin [^\n]+$/);
  expect(message).toContain('"capacitor://localhost"');
});

it("does not take two apps of one id", () => {
  const twice = [app({ id: "a\u202eb" }), app({ id: "a\u202eb" })];
  expect(settingsErrorOf(() => parseApps(twice, "APPS_FILE"))).toBe(
    'APPS_FILE names the app "a\\u{202e}b" twice',
  );
});
