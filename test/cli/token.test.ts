import { decodeJwt, jwtVerify } from "jose";
import { afterEach, describe, expect, test, vi } from "vitest";
import { NO_GATEWAY, ProgramRun } from "./program-run.ts";

const SECRET = "a secret that signs the tokens of a test";
const SHOP = ["--app", "shop", "--secret", SECRET];
const NOW = 1_800_000_000;
const LONG_IDS = Array.from({ length: 60 }, (_, i) => `${i}`.padStart(255, "x"));
let run: ProgramRun;

afterEach(() => {
  run.restore();
  vi.useRealTimers();
});

async function make(...args: readonly string[]): Promise<string> {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW * 1000 });
  run = new ProgramRun(["token", ...args]);
  await run.over;
  expect(run.lines).toHaveLength(1);
  return run.lines[0]!;
}

const claimsOf = async (...args: readonly string[]) => decodeJwt(await make(...args, ...SHOP));

describe("a token", () => {
  test("of the app is signed with its secret, for an hour", async () => {
    const { payload } = await jwtVerify(await make("app", ...SHOP), new TextEncoder().encode(SECRET));
    expect(payload).toMatchObject({ iss: "shop", tokenType: "app", exp: NOW + 3_600 });
  });

  test("of a user grants nothing else unless asked", async () => {
    const claims = await claimsOf("user", "alice");
    expect(claims).toMatchObject({ iss: "shop", tokenType: "user", sub: "alice" });
    expect(claims).not.toHaveProperty("read");
  });

  test.each([
    [["--read-all"], "all"],
    [["--read-user", "bob", "carol"], { userIds: ["bob", "carol"] }],
    [["--read-conversation", "c1"], { conversationIds: ["c1"] }],
    [
      ["--read-user", "bob", "--read-conversation", "c1", "c2"],
      { userIds: ["bob"], conversationIds: ["c1", "c2"] },
    ],
  ])("of a user with %j grants %j", async (options, read) => {
    expect(await claimsOf("user", "alice", ...options)).toMatchObject({ read });
  });

  test("expires when asked, or never", async () => {
    expect(await claimsOf("app", "--expires", "7d")).toMatchObject({ exp: NOW + 7 * 86_400 });
    run.restore();
    expect(await claimsOf("app", "--expires", "never")).not.toHaveProperty("exp");
  });

  test("is made for the gateway in development mode if no app is named", async () => {
    const readDevCredentials = async () => ({ url: "http://127.0.0.1:8080", appId: "dev", secret: SECRET });
    run = new ProgramRun(["token", "app"], { ...NO_GATEWAY, readDevCredentials });
    await run.over;
    expect(decodeJwt(run.lines[0]!)).toMatchObject({ iss: "dev" });
  });
});

test.each([
  ["an unknown duration", ["app", "--expires", "soon"], "It must be such as 90s"],
  ["an empty user id", ["user", ""], "It must"],
  ["two kinds of grants", ["user", "alice", "--read-all", "--read-user", "bob"], "cannot be used with"],
  ["too many grants", ["user", "alice", "--read-user", ...LONG_IDS], "grant fewer ids"],
])("makes no token for %s", async (_name, args, problem) => {
  run = new ProgramRun(["token", ...args, ...SHOP]);
  await expect(run.over).rejects.toThrow(problem);
  expect(run.output).toBe("");
});
