import { describe, expect, it } from "vitest";
import { App } from "../../../src/server/auth/app.ts";
import { mintToken, type TokenClaims } from "../../../src/server/auth/mint.ts";
import { authorize, readBearer } from "../../../src/server/http/authorize.ts";

const SECRET = "a secret of the app, long enough to be one";
const NOW_S = 1_000;
const makeApp = () => new App({ id: "app", secrets: ["an older secret", SECRET] });
const token = (claims: TokenClaims, exp?: number, secret = SECRET) => mintToken("app", secret, claims, exp);

describe("the credentials of a header", () => {
  it.each([
    ["Bearer abc", "abc"],
    ["bearer abc", "abc"],
    ["BEARER    abc", "abc"],
    ["Bearer a b", "a b"],
    ["Bearer", undefined],
    ["Bearer ", undefined],
    ["Basic abc", undefined],
    ["abc", undefined],
    ["", undefined],
    [undefined, undefined],
  ])("of %j are %j", (header, credentials) => {
    expect(readBearer(header)).toBe(credentials);
  });
});

describe("a request of the API", () => {
  const ask = (app: App, credentials: string, nowS = NOW_S) =>
    authorize(app, `Bearer ${credentials}`, nowS * 1_000);

  it.each(["an older secret", SECRET])("is the app's with the secret %j", (secret) => {
    expect(ask(makeApp(), secret)).toMatchObject({ ok: true, principal: { kind: "app", exp: undefined } });
  });

  it("is the app's with a token of it, until that expires", async () => {
    const app = makeApp();
    const credentials = await token({ tokenType: "app" }, NOW_S + 60);
    const expected = { ok: true, principal: { kind: "app", exp: NOW_S + 60 } };
    expect(ask(app, credentials)).toMatchObject(expected);
    // The second time the token is known, and its expiry is checked all the same.
    expect(ask(app, credentials)).toMatchObject(expected);
    expect(ask(app, credentials, NOW_S + 66)).toEqual({ ok: false, reason: "the token has expired" });
  });

  it("verifies the signature of a token once", async () => {
    const app = makeApp();
    const credentials = await token({ tokenType: "app" });
    ask(app, credentials);
    expect(app.knownTokens.get(credentials)?.principal).toEqual({ kind: "app", exp: undefined });
    expect(app.knownTokens.get(`${credentials}x`)).toBeUndefined();
  });

  it("is told whether a secret or a token is wrong", () => {
    expect(ask(makeApp(), "no-secret-of-it")).toMatchObject({
      reason: expect.stringMatching(/^wrong secret: /),
    });
    expect(ask(makeApp(), "a.b.c")).toMatchObject({ ok: false, reason: expect.stringMatching(/token/) });
  });

  it("is refused with a user's token, which is not remembered", async () => {
    const app = makeApp();
    const credentials = await token({ tokenType: "user", sub: "alice" });
    expect(ask(app, credentials)).toMatchObject({ ok: false, reason: expect.stringMatching(/WebSockets/) });
    expect(app.knownTokens.get(credentials)).toBeUndefined();
  });

  it.each(["another secret", "x", `${SECRET}x`, SECRET.toUpperCase()])(
    "is refused with the wrong secret %j, and says that it is one",
    (secret) => {
      const reason = expect.stringMatching(/^wrong secret: (?!.*(JWT|token))/);
      expect(ask(makeApp(), secret)).toEqual({ ok: false, reason });
    },
  );

  it("is refused with a malformed token, and says that it is one", () => {
    expect(ask(makeApp(), "a.b.c")).toEqual({ ok: false, reason: "the token is not a JWT" });
  });

  it("is refused with a token of another secret, and with none", async () => {
    const forged = await token({ tokenType: "app" }, undefined, "another secret");
    expect(ask(makeApp(), forged)).toMatchObject({ ok: false });
    expect(authorize(makeApp(), undefined, 0)).toMatchObject({
      ok: false,
      reason: expect.stringMatching(/^send Authorization: Bearer/),
    });
  });
});
