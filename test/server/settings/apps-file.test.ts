import { expect, it } from "vitest";
import { AppsFile } from "../../../src/server/settings/apps-file.ts";
import { digestOfText } from "../../../src/server/settings/settings.ts";

/** A file whose content is in the hands of the test; an error cannot be read. */
function world(text: string) {
  const seen: string[] = [];
  const at = { text: text as string | Error, reads: 0 };
  const file = new AppsFile(
    { path: "/apps.json", digest: digestOfText(text) },
    { changed: (now) => seen.push(now), failed: (reason) => seen.push(`failed: ${reason}`) },
    async () => {
      at.reads++;
      if (typeof at.text === "string") return at.text;
      throw at.text;
    },
  );
  const check = async (next: string | Error, always?: boolean) => {
    at.text = next;
    await file.check(always);
    return seen.splice(0);
  };
  return { at, check, file, seen };
}

const MISSING = Object.assign(new Error("no such file"), { code: "ENOENT" });

it("tells of each other text once, the one at the start included", async () => {
  const { check } = world("a");
  expect(await check("a")).toEqual([]);
  expect(await check("b")).toEqual(["b"]);
  expect(await check("b")).toEqual([]);
  expect(await check("")).toEqual([""]);
  expect(await check("a")).toEqual(["a"]);
});

it("tells of the same text where that is asked for", async () => {
  const { check } = world("a");
  expect(await check("a", true)).toEqual(["a"]);
  expect(await check("a")).toEqual([]);
});

it("tells once of a file that cannot be read, and nothing if it comes back as it was", async () => {
  const { check } = world("a");
  expect(await check(MISSING)).toEqual(["failed: the file cannot be read (ENOENT)"]);
  expect(await check(MISSING)).toEqual([]);
  expect(await check(MISSING, true)).toEqual(["failed: the file cannot be read (ENOENT)"]);
  expect(await check("a")).toEqual([]);
  expect(await check(MISSING)).toHaveLength(1);
  expect(await check("b")).toEqual(["b"]);
});

it("reads in the order in which it was asked, one after the other", async () => {
  const { at, file, seen } = world("a");
  at.text = "b";
  const checks = [file.check(true), file.check(true), file.check()];
  await Promise.all(checks);
  expect([seen, at.reads]).toEqual([["b", "b"], 3]);
});
