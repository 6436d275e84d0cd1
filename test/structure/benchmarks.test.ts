import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const PROJECT = fileURLToPath(new URL("../..", import.meta.url));
/** Programs that tests and benchmarks start. */
const SHARED = "test/programs/";

/** The relative imports of a folder's files, as paths of the project. Tests of `SHARED` are left out. */
function importsOf(folder: string): { readonly file: string; readonly target: string }[] {
  return readdirSync(join(PROJECT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => join(folder, name))
    .filter((file) => !(file.startsWith(SHARED) && file.endsWith(".test.ts")))
    .flatMap((file) => {
      const text = readFileSync(join(PROJECT, file), "utf8");
      return [...text.matchAll(/(?:from |import\()"(\.[^"]+)"/g)].map((match) => ({
        file,
        target: normalize(join(dirname(file), match[1]!)),
      }));
    });
}

it("benchmarks import only the shared programs from the tests", () => {
  const fromTests = importsOf("bench").filter(({ target }) => target.startsWith("test/"));
  expect(fromTests.length).toBeGreaterThan(0);
  expect(fromTests.filter(({ target }) => !target.startsWith(SHARED))).toEqual([]);
});

it("only the tests of the benchmarks import the benchmarks", () => {
  const fromBench = importsOf("test").filter(({ target }) => target.startsWith("bench/"));
  expect(fromBench.length).toBeGreaterThan(0);
  expect(fromBench.filter(({ file }) => !file.startsWith("test/bench/"))).toEqual([]);
});

it("the shared programs import nothing else of the project", () => {
  const imports = importsOf(SHARED);
  expect(imports.length).toBeGreaterThan(0);
  expect(imports.filter(({ target }) => !target.startsWith(SHARED))).toEqual([]);
});
