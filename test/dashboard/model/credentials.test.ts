import { describe, expect, it } from "vitest";
import { endsWithin, readCredentials, takeToken } from "../../../src/dashboard/model/credentials.ts";
import { APP_CLAIMS, encode, forge, userToken } from "../../support/forge.ts";
import { APP } from "../../support/gateway.ts";

describe("readCredentials", () => {
  it("reads the app of an app token", () => {
    const token = forge();
    expect(readCredentials(`  ${token}\n`)).toEqual({ ok: true, credentials: { token, appId: APP } });
  });

  it("reads when the token ends, if it does", () => {
    const expiresAt = (claims: object) => {
      const read = readCredentials(forge({ payload: { ...APP_CLAIMS, ...claims } }));
      return read.ok ? read.credentials.expiresAt : read;
    };
    expect(expiresAt({ exp: 1_700_000_000 })).toBe(1_700_000_000_000);
    expect(expiresAt({})).toBeUndefined();
    // The gateway refuses such a token and says why.
    expect(expiresAt({ exp: "soon" })).toBeUndefined();
  });

  it("accepts an app id in any script", () => {
    const token = forge({ payload: { ...APP_CLAIMS, iss: "アプリ-é-👩‍💻" } });
    expect(readCredentials(token)).toMatchObject({ ok: true, credentials: { appId: "アプリ-é-👩‍💻" } });
  });

  it.each([
    ["an empty text", "  "],
    ["a secret", "use-32-random-characters-or-more"],
    ["three parts without content", "a.b.c"],
    ["a payload that is not an object", `x.${encode("1")}.x`],
    ["a user's token", userToken({})],
    ["a token without an app", forge({ payload: { tokenType: "app" } })],
    ["a token with an empty app id", forge({ payload: { tokenType: "app", iss: "" } })],
    ["a token with an invalid app id", forge({ payload: { tokenType: "app", iss: "a\u0000b" } })],
  ])("refuses %s with a reason", (_name, text) => {
    const read = readCredentials(text);
    expect(read).toEqual({ ok: false, problem: expect.stringMatching(/\.$/) });
  });
});

it("a token ends within a time, or never", () => {
  const credentials = { token: "a.b.c", appId: APP, expiresAt: 10_000 };
  expect(endsWithin(credentials, 1_000, 8_999)).toBe(false);
  expect(endsWithin(credentials, 1_000, 9_000)).toBe(true);
  expect(endsWithin(credentials, 0, 20_000)).toBe(true);
  expect(endsWithin({ token: "a.b.c", appId: APP }, 1e15, 0)).toBe(false);
});

describe("takeToken", () => {
  it.each([
    ["#token=a.b-_.c", "a.b-_.c", ""],
    ["#token=a.b.c&typing=yes&user=x%26y", "a.b.c", "#typing=yes&user=x%26y"],
    ["#typing=yes&token=a.b.c", "a.b.c", "#typing=yes"],
    ["#token=a&token=b", "a", ""],
    ["#typing=yes", undefined, "#typing=yes"],
    ["#token=", "", ""],
    ["", undefined, ""],
  ])("removes the token from %j", (fragment, token, rest) => {
    expect(takeToken(fragment)).toEqual({ token, rest });
  });
});
