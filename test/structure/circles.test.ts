import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Each file and those that it imports, types included. */
function importsOf(folder: string): [string, readonly string[]][] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => {
      const path = join(folder, name);
      const text = readFileSync(join(ROOT, path), "utf8");
      const targets = [...text.matchAll(/(?:from |import |import\()"(\.[^"]+)"/g)];
      return [path, targets.map((match) => normalize(join(dirname(path), match[1]!)))];
    });
}

/** The files on each way through the imports that comes back to where it began. */
function findCircles(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, way: readonly string[]) => {
    const at = way.indexOf(file);
    if (at >= 0) circles.push([...way.slice(at), file].join(" → "));
    if (at >= 0 || done.has(file)) return;
    for (const target of imports.get(file) ?? []) visit(target, [...way, file]);
    done.add(file);
  };
  for (const file of imports.keys()) visit(file, []);
  return circles;
}

it("finds circles, where there are some", () => {
  const imports = new Map([
    ["a", ["b", "c"]],
    ["b", ["d"]],
    ["c", ["d"]],
    ["d", ["c"]],
  ]);
  expect(findCircles(imports)).toEqual(["d → c → d"]);
});

it("no file imports itself by way of others, be it only for a type", () => {
  const imports = new Map(["src", "bench"].flatMap(importsOf));
  expect(imports.size).toBeGreaterThan(200);
  expect(findCircles(imports)).toEqual([]);
});
