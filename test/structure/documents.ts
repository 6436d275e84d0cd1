import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PROJECT } from "../support/process.ts";

/** Every document of the project, as a path from its root. */
export const DOCUMENTS: readonly string[] = [
  ...readdirSync(PROJECT).filter((name) => name.endsWith(".md")),
  ...["docs", "src", "bench", "deploy", "examples", ".github"].flatMap((folder) =>
    readdirSync(join(PROJECT, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".md") && !name.includes("node_modules"))
      .map((name) => join(folder, name)),
  ),
].sort();

export const read = (path: string): string => readFileSync(join(PROJECT, path), "utf8");

export interface CodeBlock {
  /** What follows the fence; empty if nothing does. */
  readonly language: string;
  readonly text: string;
}

/** The fenced code blocks of a document. */
export function blocksOf(path: string): CodeBlock[] {
  return [...read(path).matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language, text]) => ({
    language: language!,
    text: text!,
  }));
}
