import { createHmac } from "node:crypto";
import { SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import { MAX_TOKEN_LENGTH } from "../../../src/protocol/rules.ts";
import { App } from "../../../src/server/auth/app.ts";
import { CLOCK_LEEWAY_S, hasExpired, verifyToken } from "../../../src/server/auth/token.ts";

const WALL_NOW = 1_780_000_000_000;
const NOW_S = WALL_NOW / 1000;
const app = new App({ id: "app", secrets: ["secret"] });

async function verify(claims: Record<string, unknown>, byApp = app) {
  const jwt = new SignJWT({ iss: "app", tokenType: "user", sub: "alice", ...claims });
  const token = await jwt.setProtectedHeader({ alg: "HS256" }).sign(new TextEncoder().encode("secret"));
  return verifyToken(byApp, token, WALL_NOW);
}

describe("a token", () => {
  it.each([
    {},
    { exp: NOW_S + 1 },
    { exp: NOW_S - CLOCK_LEEWAY_S + 1 },
    { nbf: NOW_S + CLOCK_LEEWAY_S },
    { aud: "app" },
    { aud: ["other", "app"] },
    { tokenType: "app", sub: undefined },
    { unknown: 1 },
  ])("with %j is valid", async (claims) => expect((await verify(claims)).ok).toBe(true));

  it.each([
    [{ iss: "other" }, "iss"],
    [{ exp: NOW_S - CLOCK_LEEWAY_S }, "expired"],
    [{ aud: "other" }, "aud"],
    [{ aud: [] }, "aud"],
    [{ sub: "" }, "claim sub"],
    [{ sub: undefined }, "claim sub is not valid: it must be the id of the user"],
    [{ tokenType: undefined }, 'claim tokenType is not valid: it must be "user" or "app"'],
    [{ tokenType: "other" }, "claim tokenType"],
    [{ iss: undefined }, "claim iss is not valid: it must be the id of the app"],
    [{ iss: 1 }, "claim iss"],
    [{ sub: 1 }, "claim sub"],
    [{ sub: "a\nb" }, "claim sub"],
    [{ exp: "soon" }, "claim exp"],
    [{ exp: null }, "claim exp"],
    [{ nbf: "soon" }, "claim nbf"],
    [{ iat: "soon" }, "claim iat"],
    [{ jti: 1 }, "claim jti"],
    [{ aud: 1 }, "claim aud"],
    [{ read: null }, 'claim read is not valid: it must be "all", or {"userIds": […], "conversationIds"'],
    [{ read: { users: ["bob"] } }, "claim read"],
  ] as const)("with %j is refused, and the reason says %j", async (claims, reason) => {
    expect(await verify(claims)).toEqual({ ok: false, reason: expect.stringContaining(reason) });
  });

  it.each(["exp", "nbf", "iat"])("with an infinite %s is refused", (claim) => {
    const encode = (text: string) => Buffer.from(text).toString("base64url");
    const payload = `{"iss":"app","tokenType":"user","sub":"alice","${claim}":1e999}`;
    const input = `${encode('{"alg":"HS256"}')}.${encode(payload)}`;
    const token = `${input}.${createHmac("sha256", "secret").update(input).digest("base64url")}`;
    const reason = expect.stringContaining(`claim ${claim}`);
    expect(verifyToken(app, token, WALL_NOW)).toEqual({ ok: false, reason });
  });

  it("that is not valid yet is refused, and it says when it is, if nothing else is wrong", async () => {
    const nbf = NOW_S + CLOCK_LEEWAY_S + 1;
    const reason = "the token is not valid yet";
    expect(await verify({ nbf })).toEqual({ ok: false, reason, retryAfterMs: 1_000 });
    expect(await verify({ nbf: 1e300 })).toMatchObject({ retryAfterMs: Number.MAX_SAFE_INTEGER });
    expect(await verify({ nbf, aud: "other" })).not.toHaveProperty("retryAfterMs");
    expect(await verify({ nbf, exp: NOW_S - 60 })).not.toHaveProperty("retryAfterMs");
  });

  it("without an expiry is refused where the app requires one", async () => {
    const strict = new App({ id: "app", secrets: ["secret"], requireExp: true });
    expect(await verify({}, strict)).toMatchObject({ ok: false });
    expect(await verify({ exp: NOW_S + 60 }, strict)).toMatchObject({ ok: true });
  });

  it("grants all where the app grants all to its users", async () => {
    const open = new App({ id: "app", secrets: ["secret"], userGrant: "all" });
    expect(await verify({}, open)).toMatchObject({ principal: { grant: { kind: "all" } } });
    expect(await verify({ read: "all" })).toMatchObject({ principal: { grant: { kind: "all" } } });
    expect(await verify({})).toMatchObject({ principal: { grant: { kind: "some" } } });
  });

  it("that is too long is not looked at", () => {
    const reason = "the token is not a JWT";
    expect(verifyToken(app, "x".repeat(MAX_TOKEN_LENGTH + 1), WALL_NOW)).toEqual({ ok: false, reason });
  });
  it("that looks like a secret is called so", () => {
    const reason = expect.stringMatching(/not a token.*secret works over HTTP only/);
    expect(verifyToken(app, "secret", WALL_NOW)).toEqual({ ok: false, reason });
  });

  it.each(["", ".", "a.b", "a.b.c", "a.b.c.d"])("that is malformed is called so: %j", (token) => {
    expect(verifyToken(app, token, WALL_NOW)).toEqual({ ok: false, reason: "the token is not a JWT" });
  });
});

it("an expiry counts only after the leeway", () => {
  expect(hasExpired(undefined, WALL_NOW)).toBe(false);
  expect(hasExpired(NOW_S, WALL_NOW + 1_000 * CLOCK_LEEWAY_S - 1)).toBe(false);
  expect(hasExpired(NOW_S, WALL_NOW + 1_000 * CLOCK_LEEWAY_S)).toBe(true);
});
