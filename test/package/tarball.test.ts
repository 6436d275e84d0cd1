import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join, posix } from "node:path";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  describePackage,
  PACKAGES,
  type PackageName,
  type Packed,
  pack,
  run,
  temporaryFolder,
} from "../support/package.ts";
import { PROJECT } from "../support/process.ts";

interface Expected {
  /** The largest compressed size. */
  readonly bytes: number;
  /** The files that are not built. */
  readonly papers: readonly string[];
  /** The source of a built file, relative to the project. */
  sourceOf(path: string): string;
  /** All sources that must be built into the package. */
  readonly sources: readonly string[];
}

const sourcesOf = (folder: string) =>
  readdirSync(join(PROJECT, folder), { recursive: true, encoding: "utf8" })
    .map((name) => posix.join(folder, name))
    .filter((name) => name.endsWith(".ts") && !name.includes("/dist/"));
const SOURCES = sourcesOf("src");
const CLIENT_SOURCES = sourcesOf("src/client");
/** Modules of the SDK that the gateway's program does not need. */
const UNUSED = ["index", "last-seen", "others", "set-status", "subscribe-count", "track-idle"].map(
  (name) => `src/client/${name}.ts`,
);
/** The modules that the SDK shares with the gateway. */
const WIRE = ["codes", "rules", "wire"].map((name) => `src/protocol/${name}.ts`);
/** Documents for developers, who have the whole repository. */
const FOR_DEVELOPERS = /^(?:architecture|reliability|decisions\/.*)\.md$/;
const DOCUMENTS = readdirSync(join(PROJECT, "docs"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".md") && !FOR_DEVELOPERS.test(name))
  .map((name) => posix.join("docs", name));
const BUILT = /\.js$|\.d\.ts$/;

const EXPECTED: Record<PackageName, Expected> = {
  "presence-gateway": {
    // Half of it is the dashboard, which is included plain and in two compressed forms.
    bytes: 600_000,
    papers: [
      "CHANGELOG.md",
      "LICENSE",
      "README.md",
      "SECURITY.md",
      ...DOCUMENTS,
      "package.json",
      "src/client/README.md",
      "src/react/README.md",
    ].sort(),
    sourceOf: (path) => path.replace(/^dist/, "src").replace(/\.js$/, ".ts"),
    sources: SOURCES.filter(
      (name) => !/^src\/(?:dashboard|react)\//.test(name) && !UNUSED.some((unused) => name === unused),
    ),
  },
  "@presence-gateway/client": {
    bytes: 60_000,
    papers: ["LICENSE", "README.md", "dist/cjs/package.json", "package.json"],
    sourceOf: (path) => path.replace(/^dist\/(?:esm|cjs)/, "src").replace(BUILT, ".ts"),
    sources: [...CLIENT_SOURCES, ...WIRE],
  },
  "@presence-gateway/react": {
    bytes: 10_000,
    papers: ["LICENSE", "README.md", "dist/cjs/package.json", "package.json"],
    sourceOf: (path) => path.replace(/^dist\/(?:esm|cjs)/, "src/react").replace(BUILT, ".ts"),
    sources: sourcesOf("src/react"),
  },
};

/** The files of the dashboard. A bundler makes them, so they have no sources of the same name. */
const PAGE = /^dist\/dashboard\/[\w./-]+\.(?:html|js|css|svg)(?:\.gz|\.br)?$/;

describePackage("the published package", () => {
  let scratch: string;
  const packages = new Map<string, Packed>();
  beforeAll(async () => {
    scratch = temporaryFolder();
    const names = Object.keys(PACKAGES) as PackageName[];
    for (const [index, packed] of (await pack(scratch, names)).entries()) packages.set(names[index]!, packed);
  });
  afterAll(() => rmSync(scratch, { recursive: true }));

  describe.each(Object.entries(EXPECTED) as [PackageName, Expected][])("%s", (name, expected) => {
    const folder = PACKAGES[name];
    const read = (path: string) => readFileSync(join(PROJECT, folder, path), "utf8");
    let packed: Packed;
    let paths: readonly string[];

    beforeAll(() => {
      packed = packages.get(name)!;
      paths = packed.files.map(({ path }) => path);
    });

    it("contains the build and the documents, and nothing else", () => {
      const others = paths.filter((path) => !PAGE.test(path));
      const built = others.filter((path) => path.startsWith("dist/") && BUILT.test(path));
      expect(others.filter((path) => !built.includes(path)).sort()).toEqual(expected.papers);
      const stale = built.filter((path) => !existsSync(join(PROJECT, expected.sourceOf(path))));
      expect(stale, "built from sources that no longer exist: remove dist and build again").toEqual([]);
      const used = new Set(built.map(expected.sourceOf));
      expect([...used].sort(), "sources that are built").toEqual([...expected.sources].sort());
    });

    it("has the license and version of the project", () => {
      expect(read("LICENSE")).toBe(readFileSync(join(PROJECT, "LICENSE"), "utf8"));
      const { version, repository } = JSON.parse(read("package.json"));
      const gateway = JSON.parse(readFileSync(join(PROJECT, "package.json"), "utf8"));
      expect([version, repository.url]).toEqual([gateway.version, gateway.repository.url]);
    });

    it("is small", () => {
      const whole = packed.size.toLocaleString("en");
      const bound = expected.bytes.toLocaleString("en");
      process.stdout.write(`${name}: ${whole} bytes packed of ${bound}, ${paths.length} files\n`);
      expect(packed.size).toBeLessThanOrEqual(expected.bytes);
    });

    it("names only files that it contains, and no path of the machine that built it", () => {
      const texts = paths
        .filter((path) => !/\.(?:gz|br)$/.test(path))
        .map((path) => [path, read(path)] as const);
      for (const [path, text] of texts) {
        for (const own of ["src/", "dist/", "node_modules/"]) expect(text, path).not.toContain(PROJECT + own);
        expect(text, path).not.toContain("sourceMappingURL");
      }
      for (const [path, text] of texts.filter(([each]) => each.endsWith("README.md"))) {
        // The rest is for developers, who have the whole repository. So are the pictures.
        const [forUsers] = text.split("## Development");
        const links = [...forUsers!.matchAll(/(?<!!)\[[^\]]*\]\((?!\w+:|#)([^)#]+)/g)];
        const targets = links.map(([, target]) => posix.join(posix.dirname(path), target!));
        expect(
          targets.filter((target) => !paths.includes(target)),
          path,
        ).toEqual([]);
      }
    });

    it("meets the expectations of bundlers and Node, according to publint", async () => {
      const file = readFileSync(packed.path);
      const tarball = file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength);
      const { messages, pkg } = await publint({ pack: { tarball }, strict: true });
      expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
    });

    // The gateway is a program that nobody imports.
    if (name === "presence-gateway") return;

    it("has types for import and for require", async () => {
      const attw = join(PROJECT, "node_modules/.bin/attw");
      const { code, output } = await run(scratch, attw, [packed.path, "--no-color"]);
      expect(code, output).toBe(0);
      expect(output).toContain(`"${name}"`);
      for (const kind of ["node16 (from CJS)", "node16 (from ESM)", "bundler"])
        expect(output).toContain(kind);
    });
  });

  it("marks all modules of the hooks as client code", () => {
    const folder = PACKAGES["@presence-gateway/react"];
    const { files } = packages.get("@presence-gateway/react")!;
    const modules = files.map(({ path }) => path).filter((path) => path.endsWith(".js"));
    expect(modules).toHaveLength(14);
    for (const path of modules) {
      const text = readFileSync(join(PROJECT, folder, path), "utf8");
      expect(text, path).toMatch(/^(?:"use strict";\n)?"use client";\n/);
    }
  });
});
