import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Bundle, bundleWithSources } from "../support/bundle.ts";
import { describePackage, temporaryFolder } from "../support/package.ts";
import { PROJECT } from "../support/process.ts";

const CLIENT_BYTES = 8_650;
const REACT_BYTES = 1_536;
/** The only folders whose files may be in the bundle. */
const OWN_FOLDERS = ["src/client/dist/esm/", "src/react/dist/esm/"];

const zipped = ({ code }: Bundle) => gzipSync(code, { level: 9 }).length;
const count = (bytes: number) => bytes.toLocaleString("en");

describePackage("the size that the SDK adds to a page", () => {
  let folder: string;

  beforeAll(() => {
    folder = temporaryFolder();
    const packages = join(folder, "node_modules/@presence-gateway");
    mkdirSync(packages, { recursive: true });
    for (const name of ["client", "react"])
      symlinkSync(join(PROJECT, "src", name), join(packages, name), "junction");
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Bundles a page that uses these exports, minified and without React. */
  const pageWith = async (names: string, from: string) => {
    const entry = join(folder, "page.js");
    writeFileSync(
      entry,
      `import { ${names} } from "@presence-gateway/${from}"; globalThis.used = [${names}];\n`,
    );
    return await bundleWithSources(entry, { root: folder, minify: true, external: ["react"] });
  };
  const foreign = ({ sources }: Bundle) =>
    sources.filter(
      (path) =>
        !path.startsWith(folder) &&
        !path.startsWith("\0rolldown/") &&
        !OWN_FOLDERS.some((own) => path.startsWith(join(PROJECT, own))),
    );

  it("is small, and contains only the SDK", async () => {
    const client = await pageWith("createClient, PresenceError", "client");
    const hooks = "PresenceProvider, usePresence, useSession, useStatus, usePresenceClient";
    const react = await pageWith(hooks, "react");
    const bytes = zipped(client);
    const more = zipped(react) - bytes;
    process.stdout.write(
      `@presence-gateway/client: ${count(bytes)} bytes gzipped of ${count(CLIENT_BYTES)}\n` +
        `@presence-gateway/react: ${count(more)} bytes gzipped more, of ${count(REACT_BYTES)}\n`,
    );
    expect(bytes).toBeLessThanOrEqual(CLIENT_BYTES);
    expect(more).toBeLessThanOrEqual(REACT_BYTES);
    for (const page of [client, react]) {
      expect(foreign(page)).toEqual([]);
      // For a module of Node the bundler inserts an empty one, which it may not list as a source.
      expect(page.code).not.toMatch(/\bnode:|browser-external|\bZod/);
    }
  });

  it.each([
    ["setStatus", "client"],
    ["subscribeCount", "client"],
    ["lastSeen", "client"],
    ["trackIdle", "client"],
    ["usePresenceCount", "react"],
    ["useMyStatus", "react"],
  ])("is that of %s only for a page that uses it", async (name, from) => {
    const without = await pageWith(from === "client" ? "createClient" : "PresenceProvider", from);
    const used = await pageWith(`${from === "client" ? "createClient" : "PresenceProvider"}, ${name}`, from);
    const files = new Set(without.sources);
    const more = used.sources.filter((path) => !files.has(path));
    process.stdout.write(`${name}: ${count(zipped(used) - zipped(without))} bytes gzipped more\n`);
    expect(more.length).toBeGreaterThan(0);
    expect(zipped(used)).toBeGreaterThan(zipped(without));
    expect(foreign(used)).toEqual([]);
  });

  it("is only that of the used parts", async () => {
    const page = await pageWith("PresenceError", "client");
    expect(page.code).toContain("PresenceError");
    expect(Buffer.byteLength(page.code)).toBeLessThan(1_024);
  });
});
