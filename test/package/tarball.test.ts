import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join, posix } from "node:path";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describePackage, type Packed, pack, run, temporaryFolder } from "../support/package.ts";
import { PROJECT } from "../support/process.ts";

/** Compressed; half of it the dashboard, which is there as it is and compressed in two ways. */
const PACKAGE_BYTES = 460_000;
const PAPERS = [
  "CHANGELOG.md",
  "LICENSE",
  "README.md",
  "SECURITY.md",
  ...readdirSync(join(PROJECT, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md") && name !== "reliability.md")
    .map((name) => posix.join("docs", name)),
  "package.json",
  "src/client/README.md",
].sort();
/** A page with what it needs is in this folder, made by a bundler: its files have no sources of the same name. */
const PAGE = /^dist\/dashboard\/[\w./-]+\.(?:html|js|css|svg)(?:\.gz|\.br)?$/;

const read = (path: string) => readFileSync(join(PROJECT, path), "utf8");

describePackage("the package", () => {
  let folder: string;
  let packed: Packed;
  let paths: readonly string[];

  beforeAll(async () => {
    folder = temporaryFolder();
    packed = await pack(folder);
    paths = packed.files.map(({ path }) => path);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it("is what was built, what it says of itself, and nothing else", () => {
    const others = paths.filter((path) => !PAGE.test(path));
    const built = others.filter((path) => /^dist\/.*(?:\.js|\.d\.ts)$/.test(path));
    expect(others.filter((path) => !built.includes(path)).sort()).toEqual(PAPERS);
    const sourceOf = (path: string) => path.replace(/^dist/, "src").replace(/(?:\.d\.ts|\.js)$/, ".ts");
    const stale = built.filter((path) => !existsSync(join(PROJECT, sourceOf(path))));
    expect(stale, "built of sources that are gone: remove dist, and build").toEqual([]);
    const sources = readdirSync(join(PROJECT, "src"), { recursive: true, encoding: "utf8" })
      .map((name) => posix.join("src", name))
      .filter((name) => name.endsWith(".ts") && !name.startsWith("src/dashboard/"));
    expect(sources.filter((source) => !built.some((path) => sourceOf(path) === source))).toEqual([]);
  });

  it("is small", () => {
    const whole = packed.size.toLocaleString("en");
    const bound = PACKAGE_BYTES.toLocaleString("en");
    process.stdout.write(`presence-gateway: ${whole} bytes packed of ${bound}, ${paths.length} files\n`);
    expect(packed.size).toBeLessThanOrEqual(PACKAGE_BYTES);
  });

  it("names no file that it does not have, and no place where it was made", () => {
    const texts = paths
      .filter((path) => !/\.(?:gz|br)$/.test(path))
      .map((path) => [path, read(path)] as const);
    for (const [path, text] of texts) {
      for (const own of ["src/", "dist/", "node_modules/"]) expect(text, path).not.toContain(PROJECT + own);
      expect(text, path).not.toContain("sourceMappingURL");
    }
    for (const [path, text] of texts.filter(([name]) => name.endsWith("README.md"))) {
      // Who develops has the whole repository; pictures are for it, too.
      const [forUsers] = text.split("## Development");
      const links = [...forUsers!.matchAll(/(?<!!)\[[^\]]*\]\((?!\w+:|#)([^)#]+)/g)];
      const targets = links.map(([, target]) => posix.join(posix.dirname(path), target!));
      expect(
        targets.filter((target) => !paths.includes(target)),
        path,
      ).toEqual([]);
    }
  });

  it("is what bundlers and Node expect, as publint sees it", async () => {
    const file = readFileSync(packed.path);
    const tarball = file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength);
    const { messages, pkg } = await publint({ pack: { tarball }, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  });

  it("has types that are found where its modules are", async () => {
    const attw = join(PROJECT, "node_modules/.bin/attw");
    const { code, output } = await run(folder, attw, [packed.path, "--profile=esm-only", "--no-color"]);
    expect(code, output).toBe(0);
    for (const entry of ["client", "react"]) expect(output).toContain(`"presence-gateway/${entry}"`);
  });
});
