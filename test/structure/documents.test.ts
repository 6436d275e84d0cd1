import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { PROJECT } from "../support/process.ts";
import { DOCUMENTS, read } from "./documents.ts";

/** The longest README that a first reader reads to its end. */
const README_WORDS = 2_000;

/** The anchor that GitHub makes of a heading. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replaceAll(" ", "-");

describe.each(DOCUMENTS)("%s", (path) => {
  const text = read(path);

  it("links to files and headings that exist", () => {
    const links = [...text.matchAll(/\]\((?!\w+:)([^)\s]+)\)/g)].map((match) => match[1]!);
    const broken = links.filter((link) => {
      const [file, anchor] = link.split("#");
      const target = file === "" ? path : join(dirname(path), file!);
      if (!existsSync(join(PROJECT, target))) return true;
      if (anchor === undefined) return false;
      const headings = [...read(target).matchAll(/^#+ (.*)$/gm)].map((match) => anchorOf(match[1]!));
      return !headings.includes(anchor);
    });
    expect(broken).toEqual([]);
  });

  it("names files and folders that exist", () => {
    const named = [...text.matchAll(/`((?:src|test|docs|deploy|bench|examples|\.ci)\/[\w./-]+)`/g)].map(
      (match) => match[1]!,
    );
    // What a build makes is not there before it.
    const missing = named.filter((name) => !name.includes("/dist") && !existsSync(join(PROJECT, name)));
    expect(missing).toEqual([]);
  });
});

it("the commands of docs/reliability.md name tests that there are", () => {
  const commands = [...read("docs/reliability.md").matchAll(/`([^`\n]*(?:vitest run|test:chaos)[^`\n]*)`/g)];
  const chaos = readdirSync(join(PROJECT, "test/chaos")).filter((name) => name.endsWith(".chaos.ts"));
  const named = chaos.map((name) => read(join("test/chaos", name)));
  expect(commands.length).toBeGreaterThan(80);
  for (const [, command] of commands) {
    for (const path of command!.split(" ").filter((word) => word.startsWith("test/")))
      expect(existsSync(join(PROJECT, path)), command).toBe(true);
    const [, file, number] = /test:chaos --(?: ([\w.-]+))??(?: -t (R\d+))?$/.exec(command!) ?? [];
    if (file !== undefined)
      expect(
        chaos.some((name) => name.includes(file)),
        command,
      ).toBe(true);
    if (number !== undefined)
      expect(
        named.some((text) => new RegExp(`"[^"]*\\b${number}\\b`).test(text) || text.includes(`${number}:`)),
        command,
      ).toBe(true);
  }
});

it("the README is short enough to be read", () => {
  expect(read("README.md").split(/\s+/).length).toBeLessThanOrEqual(README_WORDS);
});

it("the README needs no npx in a checkout, where an interrupted download would break it for good", () => {
  expect(read("README.md")).toMatch(/npm run watch/);
  expect(read("README.md")).not.toMatch(/\bnpx\b/);
});

it("the README's token function rejects an answer that is no token", () => {
  const [, next] = /await fetch\("\/presence-token"\);\n(.*)\n/.exec(read("README.md"))!;
  expect(next).toMatch(/if \(!response\.ok\) throw/);
});

it("the operations say that an EventSource cannot authenticate, and name the SDK", () => {
  const [, section = ""] = read("docs/operations.md").split("## Event streams and browsers");
  const [text = ""] = section.split("\n## ");
  expect(text).toMatch(/`EventSource` of browsers cannot send/);
  expect(text).toContain("@presence-gateway/client");
});
