import { Command } from "commander";
import { decodeJwt } from "jose";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { CliDependencies } from "../../src/cli/cli-dependencies.ts";
import { CliError } from "../../src/cli/cli-error.ts";
import { addTargetOptions, findApp, findTarget } from "../../src/cli/target.ts";

const SECRET = "a secret that nobody checks here";
const GATEWAY = ["--url", "http://gateway:8080", "--app", "shop"];
const readDevCredentials = vi.fn<CliDependencies["readDevCredentials"]>();
const dependencies: CliDependencies = {
  version: "0",
  settings: [],
  serve: async () => {},
  readDevCredentials,
};

beforeEach(() => {
  for (const name of ["GATEWAY_URL", "APP_ID", "APP_SECRET", "APP_TOKEN", "PORT"])
    vi.stubEnv(name, undefined);
  readDevCredentials.mockResolvedValue(undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
  readDevCredentials.mockReset();
});

function find(args: readonly string[], takesToken = true) {
  const command = addTargetOptions(new Command(), takesToken).exitOverride();
  return findTarget(command.parse(args, { from: "user" }), dependencies);
}

/** The token of a target, which may be a function that makes one. */
async function tokenOf({ token }: Awaited<ReturnType<typeof find>>): Promise<string> {
  return typeof token === "string" ? token : String(await (token as () => Promise<string>)());
}

describe("a target", () => {
  test("signs its tokens with the secret", async () => {
    const target = await find([...GATEWAY, "--secret", SECRET]);
    expect(target).toMatchObject({ url: "http://gateway:8080", appId: "shop", secret: SECRET });
    expect(decodeJwt(await tokenOf(target))).toMatchObject({ iss: "shop", tokenType: "app" });
  });

  test("comes from the environment, and options have priority", async () => {
    vi.stubEnv("GATEWAY_URL", "http://other");
    vi.stubEnv("APP_ID", "other");
    vi.stubEnv("APP_SECRET", SECRET);
    expect(await find([])).toMatchObject({ url: "http://other", appId: "other" });
    expect(await find(GATEWAY)).toMatchObject({ url: "http://gateway:8080", appId: "shop" });
  });

  test("prefers a token to a secret, but an option to the environment", async () => {
    vi.stubEnv("APP_TOKEN", "a.b.c");
    vi.stubEnv("APP_SECRET", SECRET);
    expect(await find(GATEWAY)).toMatchObject({ secret: undefined, token: "a.b.c" });
    expect(await find([...GATEWAY, "--secret", SECRET])).toMatchObject({ secret: SECRET });
    expect(await find([...GATEWAY, "--secret", SECRET, "--token", "d.e.f"])).toMatchObject({
      token: "d.e.f",
    });
  });

  test.each([
    ["ws://host:1/", "http://host:1"],
    ["wss://host/base//", "https://host/base"],
    ["https://host", "https://host"],
  ])("at %s has the address %s", async (url, address) => {
    expect(await find(["--url", url, "-a", "shop", "-t", "a.b.c"])).toMatchObject({ url: address });
  });

  test.each(["host", "ftp://host", "http://user@host", "http://host?x=1", "http://host#x"])(
    "cannot be at %s",
    async (url) => {
      await expect(find(["--url", url, "-a", "shop", "-t", "a.b.c"])).rejects.toThrow(CliError);
    },
  );

  test.each([
    [["--url", "http://host"], "set --app (APP_ID) and --secret (APP_SECRET) or --token (APP_TOKEN) too"],
    [["--app", "shop"], "set --url (GATEWAY_URL) and --secret (APP_SECRET) or --token (APP_TOKEN) too"],
    [["--secret", SECRET], "set --url (GATEWAY_URL) and --app (APP_ID) too"],
  ])("is incomplete with %j only", async (args, message) => {
    await expect(find(args)).rejects.toThrow(message);
  });
});

describe("without options", () => {
  test("the target is the gateway in development mode, also after it started with another secret", async () => {
    vi.stubEnv("PORT", "9000");
    const credentials = { url: "http://127.0.0.1:9000", appId: "dev", secret: SECRET };
    readDevCredentials.mockResolvedValue(credentials);
    const target = await find([]);
    expect(target).toMatchObject(credentials);
    expect(readDevCredentials).toHaveBeenLastCalledWith(9000);
    readDevCredentials.mockResolvedValue({ ...credentials, appId: "restarted" });
    expect(decodeJwt(await tokenOf(target))).toMatchObject({ iss: "restarted" });
  });

  test("the error names the alternatives if no gateway in development mode runs", async () => {
    await expect(find([])).rejects.toThrow("runs on port 8080 (PORT) of this machine");
    await expect(find([])).rejects.toThrow("APP_TOKEN");
    await expect(find([], false)).rejects.not.toThrow("APP_TOKEN");
  });
});

test("an app needs an id and a secret, or a gateway in development mode", async () => {
  const credentials = { url: "", appId: "shop", secret: SECRET };
  expect(await findApp({ app: "shop", secret: SECRET }, dependencies)).toEqual(credentials);
  await expect(findApp({ app: "shop" }, dependencies)).rejects.toThrow("set --secret (APP_SECRET) too");
  await expect(findApp({}, dependencies)).rejects.toThrow("--app and --secret");
  readDevCredentials.mockResolvedValue(credentials);
  expect(await findApp({}, dependencies)).toEqual(credentials);
});
