// Runs all tests with random parts with random seeds, until a seed finds a failure.

import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const USAGE = `Usage: npm run test:explore -- [--runs 1] [--minutes 10] [--seed 7]
Runs the tests with random parts with random seeds, for a number of runs or minutes.
Exit code 1: a seed has found a failure. The output contains the seed and how to repeat the run.`;

const PROJECT = fileURLToPath(new URL("../..", import.meta.url));
const { values } = parseArgs({
  options: {
    runs: { type: "string" },
    minutes: { type: "string" },
    seed: { type: "string" },
    help: { type: "boolean", short: "h" },
  },
});
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
const runs = Number(values.runs ?? (values.minutes === undefined ? 1 : Number.MAX_SAFE_INTEGER));
const endsAt = performance.now() + 60_000 * Number(values.minutes ?? Number.MAX_SAFE_INTEGER);
const firstSeed = Number(values.seed ?? randomInt(2 ** 31));
if (!(runs >= 1) || Number.isNaN(endsAt) || !Number.isSafeInteger(firstSeed)) {
  console.error(USAGE);
  process.exit(2);
}

/** The test files that use the seed, directly or through fast-check. */
const files = readdirSync(join(PROJECT, "test"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".test.ts"))
  .map((name) => join("test", name))
  .filter((name) => /support\/seed\.ts"|from "fast-check"/.test(readFileSync(join(PROJECT, name), "utf8")))
  .sort();

for (let run = 0; run < runs && (run === 0 || performance.now() < endsAt); run++) {
  const seed = (firstSeed + run) % 2 ** 31;
  console.log(`run ${run + 1}: MODEL_SEED=${seed}, ${files.length} files`);
  const vitest = join(dirname(fileURLToPath(import.meta.resolve("vitest"))), "..", "vitest.mjs");
  const { status } = spawnSync(process.execPath, [vitest, "run", "--testTimeout=3600000", ...files], {
    cwd: PROJECT,
    env: { ...process.env, MODEL_SEED: String(seed), EXPLORE: "1" },
    stdio: "inherit",
  });
  if (status === 0) continue;
  console.error(
    `\nfound with seed ${seed}. To have it again:\n  EXPLORE=1 MODEL_SEED=${seed} npx vitest run <the file that failed>\n` +
      "Add it as a fixed example, in the same file or in test/fuzz/corpus, before you fix it.",
  );
  process.exit(1);
}
