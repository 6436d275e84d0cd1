import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { App } from "../../src/server/auth/app.ts";
import { verifyToken } from "../../src/server/auth/token.ts";
import {
  createDemoApp,
  readDevCredentials,
  welcome,
  writeDevCredentials,
} from "../../src/server/development.ts";
import { readDevelopmentSecret } from "../../src/server/development-secret.ts";
import { ownPort } from "../programs/own-port.ts";
import { NOT_ON_UNIX, unless } from "../support/unless.ts";

const credentials = { url: "http://127.0.0.1:8080", appId: "demo", secret: "secret" };

it("the app has the secret that its folder keeps", ({ onTestFinished }) => {
  const folder = mkdtempSync(join(tmpdir(), "presence-gateway-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const demo = createDemoApp(folder);
  expect(demo).toEqual({ app: { id: "demo", secrets: [readDevelopmentSecret(folder)] }, isKept: true });
});

it("each process has a secret of its own where the folder cannot be written to", () => {
  // No user may make a folder there, not even root.
  const [one, other] = [createDemoApp("/proc"), createDemoApp("/proc")];
  expect([one.isKept, other.isKept]).toEqual([false, false]);
  expect(one.app.secrets[0]).not.toBe(other.app.secrets[0]);
  expect(one.app.secrets[0].length).toBeGreaterThanOrEqual(32);
});

it("another program of this user reads the credentials of a port until they are removed", async () => {
  const port = await ownPort();
  expect(readDevCredentials(port)).toBeUndefined();
  const remove = writeDevCredentials(port, credentials);
  expect(readDevCredentials(port)).toEqual(credentials);
  remove();
  remove();
  expect(readDevCredentials(port)).toBeUndefined();
});

unless(NOT_ON_UNIX, it)("nobody else can read them", async () => {
  const port = await ownPort();
  const remove = writeDevCredentials(port, credentials);
  const folder = join(tmpdir(), `presence-gateway-${process.getuid!()}`);
  const modeOf = (path: string) => statSync(path).mode & 0o777;
  expect([modeOf(folder), modeOf(join(folder, `${port}.json`))]).toEqual([0o700, 0o600]);
  remove();
});

it("the welcome has commands that work when pasted, with a token of the app", async () => {
  const text = await welcome(credentials, { isKept: true, isCheckout: true });
  expect(text).toContain("curl -s http://127.0.0.1:8080/v1/demo/presences -H 'authorization: Bearer secret'");
  expect(text).toContain('"ws://127.0.0.1:8080/v1/demo/realtime"');
  const token = /#token=(\S+)/.exec(text)![1]!;
  const verified = verifyToken(new App({ id: "demo", secrets: ["secret"] }), token, 0);
  expect(verified).toMatchObject({ ok: true, principal: { kind: "app", exp: undefined } });
});

it.each([
  { isCheckout: true, demo: "npm run demo", watch: "npm run watch" },
  { isCheckout: false, demo: "npx presence-gateway crowd", watch: "npx presence-gateway watch" },
])("the welcome names commands that there are: %o", async ({ isCheckout, demo, watch }) => {
  const text = await welcome(credentials, { isKept: true, isCheckout });
  expect(text.split("\n").filter((line) => /^ {4}np/.test(line))).toEqual([`    ${demo}`, `    ${watch}`]);
});

it("the welcome says whether the secret outlives the process", async () => {
  expect(await welcome(credentials, { isKept: true, isCheckout: true })).toContain(
    "the same after a restart",
  );
  expect(await welcome(credentials, { isKept: false, isCheckout: true })).toContain("ends with it");
});
