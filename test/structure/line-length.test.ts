import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const PROJECT = fileURLToPath(new URL("../..", import.meta.url));
const MAX_COLUMNS = 110;
/** A line with a literal of this length may exceed the limit, because the literal cannot be wrapped. */
const LONG_LITERAL = 60;

/** Build output and packages. */
const SKIPPED = /(?:^|\/)(?:dist|node_modules)\//;

const LITERAL = /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*(?:`|$)|\/(?:\\.|[^/\\\s])+\/[a-z]*/g;

/** Whether the line is allowed to be longer than the limit. */
function mayBeLong(line: string, isInTemplate: boolean): boolean {
  if (isInTemplate || /https?:\/\//.test(line)) return true;
  if (/^\s*(?:\/\/|\/?\*)/.test(line)) return false;
  return [...line.matchAll(LITERAL)].some(([literal]) => literal.length >= LONG_LITERAL);
}

/** Whether the text after a line is inside a template literal, if the line begins like this. */
function endsInTemplate(line: string, isInTemplate: boolean): boolean {
  const isComment = !isInTemplate && /^\s*(?:\/\/|\/?\*)/.test(line);
  const quotes = isComment ? 0 : [...line.replace(/\\./g, "").matchAll(/`/g)].length;
  return quotes % 2 === 1 ? !isInTemplate : isInTemplate;
}

/** The lines of a file that are too long, as `path:line`. */
function longLinesOf(path: string): string[] {
  const found: string[] = [];
  let isInTemplate = false;
  for (const [index, line] of readFileSync(join(PROJECT, path), "utf8").split("\n").entries()) {
    const endsIn = endsInTemplate(line, isInTemplate);
    if (line.length > MAX_COLUMNS && !mayBeLong(line, isInTemplate || endsIn)) {
      found.push(`${path}:${index + 1}`);
    }
    isInTemplate = endsIn;
  }
  return found;
}

describe(`lines of at most ${MAX_COLUMNS} columns`, () => {
  const paths = ["src", "test", "bench"].flatMap((folder) =>
    readdirSync(join(PROJECT, folder), { recursive: true, encoding: "utf8" })
      .map((name) => `${folder}/${name}`)
      .filter((path) => /\.(?:tsx?|mjs)$/.test(path) && !SKIPPED.test(path)),
  );
  const long = paths.flatMap(longLinesOf);

  it("hold in every file, except for literals that cannot be wrapped", () => {
    expect(paths.length).toBeGreaterThan(400);
    expect(long).toEqual([]);
  });
});

describe("an exception", () => {
  const words = "word ".repeat(30);

  it.each([
    ["a long string", `const text = "${words}";`],
    ["a string that contains a quote", `const text = "it's ${words}";`],
    ["a long template literal", `log(\`\${count} ${words}\`);`],
    ["a template literal that continues", `const page = \`${words}`],
    ["a long regular expression", `const pattern = /${"ab|".repeat(40)}/u;`],
    ["a comment with a URL", `// https://example.com/${"path/".repeat(25)}`],
  ])("is %s", (_name, line) => {
    expect(mayBeLong(line, false)).toBe(true);
  });

  it.each([
    ["a comment", `// ${words}`],
    ["a docstring with a string in it", `/** ${words} "${words}" */`],
    ["code", `call(${"argument, ".repeat(20)});`],
    ["code with short strings", `call(${'"text", '.repeat(20)});`],
  ])("is not %s", (_name, line) => {
    expect(mayBeLong(line, false)).toBe(false);
  });

  it("is a line inside a template literal", () => {
    expect(endsInTemplate("const page = `first line", false)).toBe(true);
    expect(endsInTemplate("an escaped \\` does not end it", true)).toBe(true);
    expect(endsInTemplate("last line`;", true)).toBe(false);
    expect(endsInTemplate("// a ` in a comment", false)).toBe(false);
  });
});
