import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Reloads } from "../../src/server/reloads.ts";
import { digestOfText } from "../../src/server/settings/settings.ts";
import { SettingsError } from "../../src/server/settings/settings-error.ts";
import { until } from "../support/until.ts";

const APP = { id: "app", secrets: ["a secret that is short"] };
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "reloads-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function world(text: string | undefined, refuse?: Error) {
  const path = join(folder, "apps.json");
  if (text !== undefined) writeFileSync(path, text);
  const told: string[] = [];
  const appsFile = text === undefined ? undefined : { path, digest: digestOfText(text) };
  const reloads = new Reloads({ appsFile, redisShards: 1 }, { warn: (line: string) => void told.push(line) });
  const gateway = {
    reload: (apps: readonly { id: string }[]) => {
      if (refuse !== undefined) throw refuse;
      told.push(`apps ${apps.map(({ id }) => id).join()}`);
    },
    reloadFailed: (reason: string) => void told.push(`failed: ${reason}`),
  };
  return { reloads, told, path, start: () => reloads.start(gateway) };
}

it("a signal reads the file, and what would hurt is said", async () => {
  const { reloads, told, start } = world(JSON.stringify([APP]));
  start();
  reloads.request();
  await until(() => told.length === 2);
  reloads.stop();
  expect(told).toEqual(["apps app", expect.stringMatching(/^a secret of app "app" is shorter/)]);
});

it("a signal without a file is said to change nothing", () => {
  const { reloads, told, start } = world(undefined);
  start();
  reloads.request();
  expect(told).toEqual([expect.stringMatching(/^SIGHUP changes nothing/)]);
});

it.each<[string, string, Error | undefined, string]>([
  ["what is no JSON", "[", undefined, "failed: APPS_FILE is not JSON"],
  ["what is not valid", "[]", undefined, "failed: APPS_FILE is not valid"],
  ["too many shards", JSON.stringify([{ ...APP, shards: 2 }]), undefined, 'failed: app "app" has 2 shards'],
  ["what cannot change", JSON.stringify([APP]), new SettingsError("shards cannot change"), "failed: shards"],
  [
    "a defect, whose message is not shown",
    JSON.stringify([APP]),
    new Error(APP.secrets[0]),
    "failed: unexpected",
  ],
])("%s is a failure", async (_what, text, refuse, expected) => {
  const { reloads, told, start } = world(text, refuse);
  start();
  reloads.request();
  await until(() => told.length > 0);
  reloads.stop();
  expect(told).toEqual([expect.stringContaining(expected)]);
  expect(told[0]).not.toContain(APP.secrets[0]);
});
