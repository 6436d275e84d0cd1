import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { RunResult } from "../measure/result.ts";
import { renderReport } from "./readme.ts";

// Paths relative to the project's folder, where npm starts scripts.
const STORED = "dist/dev/bench-results";
const PUBLISHED = "bench";

export function readRun(path: string): RunResult {
  return JSON.parse(readFileSync(path, "utf8"));
}

/** Stores a run. Returns the path of the file. */
export function storeRun(run: RunResult): string {
  const path = join(STORED, `${new Date().toISOString().replaceAll(":", "-")}-${run.effort}.json`);
  write(path, toJson(run));
  return path;
}

/** Generates bench/README.md and its charts from a run, and stores the run beside them. */
export function publishRun(run: RunResult): void {
  const json = toJson(run);
  rmSync(join(PUBLISHED, "charts"), { recursive: true, force: true });
  write(join(PUBLISHED, "result.json"), json);
  for (const [path, text] of renderReport(JSON.parse(json))) write(join(PUBLISHED, path), text);
}

/** Rounds to six digits, which is more than the precision of the measurements. */
function toJson(run: RunResult): string {
  const shorter = (_: string, value: unknown) =>
    typeof value === "number" ? Number(value.toPrecision(6)) : value;
  return `${JSON.stringify(run, shorter, 1)}\n`;
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
