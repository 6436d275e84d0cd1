import { describe, expect, it } from "vitest";
import { readCredentials, takeToken } from "../../src/dashboard/model/credentials.ts";
import { APP_CLAIMS, encode, forge, userToken } from "../support/forge.ts";
import { APP } from "../support/gateway.ts";

describe("a token", () => {
  it("of an app says which app", () => {
    const token = forge();
    expect(readCredentials(`  ${token}\n`)).toEqual({ ok: true, credentials: { token, appId: APP } });
  });

  it("may name its app in any script", () => {
    const token = forge({ payload: { ...APP_CLAIMS, iss: "アプリ-é-👩‍💻" } });
    expect(readCredentials(token)).toMatchObject({ ok: true, credentials: { appId: "アプリ-é-👩‍💻" } });
  });

  it.each([
    ["nothing", "  "],
    ["a secret", "use-32-random-characters-or-more"],
    ["three parts of nothing", "a.b.c"],
    ["no object", `x.${encode("1")}.x`],
    ["a user's token", userToken({})],
    ["no app", forge({ payload: { tokenType: "app" } })],
    ["an empty app", forge({ payload: { tokenType: "app", iss: "" } })],
    ["an app that can't be", forge({ payload: { tokenType: "app", iss: "a\u0000b" } })],
  ])("that is %s is refused, with a reason", (_name, text) => {
    const read = readCredentials(text);
    expect(read).toEqual({ ok: false, problem: expect.stringMatching(/\.$/) });
  });
});

describe("the token in an address", () => {
  it.each([
    ["#token=a.b-_.c", "a.b-_.c", ""],
    ["#token=a.b.c&typing=yes&user=x%26y", "a.b.c", "#typing=yes&user=x%26y"],
    ["#typing=yes&token=a.b.c", "a.b.c", "#typing=yes"],
    ["#token=a&token=b", "a", ""],
    ["#typing=yes", undefined, "#typing=yes"],
    ["#token=", "", ""],
    ["", undefined, ""],
  ])("of %j is taken out", (fragment, token, rest) => {
    expect(takeToken(fragment)).toEqual({ token, rest });
  });
});
