import { parseArgs } from "node:util";
import { fuzz, summarize } from "./fuzz.ts";
import { TARGETS } from "./targets/all.ts";

const NAMES = TARGETS.map(({ name }) => name).join(",");
const USAGE = `Usage: npm run fuzz -- [--minutes N] [--seed S] [--only ${NAMES}]

Feeds each reader of foreign input with near misses, for N minutes (default 1) in total.
Exits with 1 after a finding.
`;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    seed: { type: "string", default: String(Date.now() % 2 ** 31) },
    only: { type: "string", default: NAMES },
    help: { type: "boolean", short: "h" },
  },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed);
const chosen = TARGETS.filter(({ name }) => values.only.split(",").includes(name));
if (values.help) process.stdout.write(USAGE);
else if (!(minutes > 0) || !Number.isSafeInteger(seed) || chosen.length === 0) {
  process.stderr.write(USAGE);
  process.exitCode = 2;
} else {
  process.exitCode = await run();
}

async function run(): Promise<number> {
  const share = (minutes * 60_000) / chosen.length;
  let result = 0;
  for (const target of chosen) {
    try {
      const report = await fuzz(target, seed, (_inputs, ms) => ms >= share);
      process.stdout.write(summarize(target, seed, report));
    } catch (error) {
      process.stdout.write(`${(error as Error).message}\n`);
      result = 1;
    }
  }
  return result;
}
