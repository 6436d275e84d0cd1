import { expect, it } from "vitest";
import { App, AppConfig } from "../../../src/server/auth/app.ts";

it("knows each of its secrets, and no other text", () => {
  const app = new App({ id: "app", secrets: ["first", "sécond"] });
  const found = ["first", "sécond"].map((secret) => app.findSecret(secret)!.fingerprint);
  expect(new Set(found).size).toBe(2);
  expect(found.join()).not.toMatch(/first|sécond/);
  for (const text of ["", "First", "firs", "first ", "second"]) expect(app.findSecret(text)).toBeUndefined();
});

it("allows the pages of the origins that it names, or of all, and programs without an origin", () => {
  const some = new App({ id: "app", secrets: ["x"], allowedOrigins: ["https://a.example"] });
  const all = new App({ id: "app", secrets: ["x"] });
  const none = new App({ id: "app", secrets: ["x"], allowedOrigins: [] });
  const allowed = (origin: string | undefined) => [some, all, none].map((app) => app.allowsOrigin(origin));
  expect(allowed("https://a.example")).toEqual([true, true, false]);
  expect(allowed("https://a.example:8443")).toEqual([false, true, false]);
  expect(allowed("null")).toEqual([false, true, false]);
  expect(allowed(undefined)).toEqual([true, true, true]);
});

it.each([
  { id: "app", secrets: [] },
  { id: "app", secrets: [""] },
  { id: "", secrets: ["x"] },
  { id: "app", secrets: ["x"], allowedOrigins: ["https://a.example/"] },
  { id: "app", secrets: ["x"], userGrant: "some" },
  { id: "app", secrets: ["x"], shards: 0 },
  { id: "app", secrets: ["x"], unknown: true },
  { id: "app", secrets: ["x"], keys: [{ publicKey: "x" }] },
  { id: "app", secrets: ["x"], keys: [{}] },
  { id: "app", secrets: ["x"], jwksUrl: "http://example.com/jwks.json" },
  { id: "app", secrets: ["x"], issuer: "" },
  { id: "app", secrets: ["x"], audience: ["a"] },
  { id: "app", secrets: ["x"], userIdClaim: "" },
])("refuses the configuration %j", (config) => expect(AppConfig.safeParse(config).success).toBe(false));
