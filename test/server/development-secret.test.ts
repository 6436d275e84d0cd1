import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readDevelopmentSecret, SECRET_FOLDER } from "../../src/server/development-secret.ts";
import { whyNoTool } from "../support/tools.ts";
import { NOT_ON_UNIX, unless } from "../support/unless.ts";

/** An empty working folder, until the end of the test. */
function workingFolder(onTestFinished: (clean: () => void) => void): string {
  const folder = mkdtempSync(join(tmpdir(), "presence-gateway-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

const fileIn = (folder: string) => join(folder, SECRET_FOLDER, "secret");

it("is made once for each folder, and is the same after a restart", ({ onTestFinished }) => {
  const [one, other] = [workingFolder(onTestFinished), workingFolder(onTestFinished)];
  const secret = readDevelopmentSecret(one);
  expect(secret).toMatch(/^[\w-]{43}$/);
  expect(readDevelopmentSecret(one)).toBe(secret);
  expect(readDevelopmentSecret(other)).not.toBe(secret);
  // Nothing is left behind.
  expect(readdirSync(join(one, SECRET_FOLDER)).sort()).toEqual([".gitignore", "secret"]);
});

unless(NOT_ON_UNIX, describe)("nobody else can read it", () => {
  it("also where the user lets others read new files", ({ onTestFinished }) => {
    const folder = workingFolder(onTestFinished);
    const mask = process.umask(0);
    onTestFinished(() => void process.umask(mask));
    readDevelopmentSecret(folder);
    const modeOf = (path: string) => statSync(path).mode & 0o777;
    expect([modeOf(join(folder, SECRET_FOLDER)), modeOf(fileIn(folder))]).toEqual([0o700, 0o600]);
  });

  it.each([0o644, 0o640, 0o604, 0o622])("nor goes on with one that others could reach: %o", (mode) => {
    const folder = mkdtempSync(join(tmpdir(), "presence-gateway-test-"));
    const known = readDevelopmentSecret(folder);
    chmodSync(fileIn(folder), mode);
    const secret = readDevelopmentSecret(folder);
    expect(secret).not.toBe(known);
    expect(readFileSync(fileIn(folder), "utf8")).toBe(secret);
    expect(statSync(fileIn(folder)).mode & 0o777).toBe(0o600);
    rmSync(folder, { recursive: true });
  });

  it("follows no link in place of the file, wherever it leads", ({ onTestFinished }) => {
    const folder = workingFolder(onTestFinished);
    const elsewhere = join(workingFolder(onTestFinished), "secret");
    mkdirSync(join(folder, SECRET_FOLDER), { mode: 0o700 });
    symlinkSync(elsewhere, fileIn(folder));
    const refusal = /secret is not a file of this user: remove it$/;
    expect(() => readDevelopmentSecret(folder)).toThrow(refusal);
    expect(existsSync(elsewhere)).toBe(false);
    writeFileSync(elsewhere, "x".repeat(43), { mode: 0o600 });
    expect(() => readDevelopmentSecret(folder)).toThrow(refusal);
    expect(readFileSync(elsewhere, "utf8")).toBe("x".repeat(43));
  });

  it("follows no link in place of the folder", ({ onTestFinished }) => {
    const [folder, elsewhere] = [workingFolder(onTestFinished), workingFolder(onTestFinished)];
    symlinkSync(elsewhere, join(folder, SECRET_FOLDER));
    expect(() => readDevelopmentSecret(folder)).toThrow(/presence-gateway is not a folder of this user/);
    expect(readdirSync(elsewhere)).toEqual([]);
  });

  it("does not wait for a pipe in place of the file", ({ onTestFinished }) => {
    const folder = workingFolder(onTestFinished);
    mkdirSync(join(folder, SECRET_FOLDER));
    execFileSync("mkfifo", [fileIn(folder)]);
    expect(() => readDevelopmentSecret(folder)).toThrow(/is not a file of this user/);
  });
});

it.each(["", "short", "x".repeat(42), "x".repeat(44), `${"x".repeat(42)}\n`])(
  "is made anew if the file holds something else: %j",
  (text) => {
    const folder = mkdtempSync(join(tmpdir(), "presence-gateway-test-"));
    mkdirSync(join(folder, SECRET_FOLDER));
    writeFileSync(fileIn(folder), text, { mode: 0o600 });
    const secret = readDevelopmentSecret(folder);
    expect(secret).toMatch(/^[\w-]{43}$/);
    expect(readDevelopmentSecret(folder)).toBe(secret);
    rmSync(folder, { recursive: true });
  },
);

unless(whyNoTool("git"), it)("git ignores it in any repository", ({ onTestFinished }) => {
  const folder = workingFolder(onTestFinished);
  const git = (...args: string[]) => execFileSync("git", args, { cwd: folder, encoding: "utf8" });
  git("init", "-q");
  readDevelopmentSecret(folder);
  expect(git("status", "--porcelain", "--untracked-files=all")).toBe("");
});
