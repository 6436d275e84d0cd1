import { parseArgs } from "node:util";
import { Driver } from "./driver.ts";
import type { Summary } from "./summary.ts";

const USAGE = `Usage: npm run chaos -- [--minutes 10] [--seed 7] [--transport ws|uws]

Starts a gateway and does to it what happens to gateways, and compares what everybody sees whenever it rests.
Exit code 1: an invariant was broken; the seed, and what happened before, are printed.
`;

/** One defect may show in very many ways. */
const MOST_PRINTED = 10;

function megabytes(bytes: number | undefined): string {
  return bytes === undefined ? "?" : `${(bytes / 1e6).toFixed(1)} MB`;
}

function print(summary: Summary, seed: number, transport: string): void {
  const { latency, rss, files, observed } = summary;
  const events = [...summary.events]
    .toSorted(([, a], [, b]) => b - a)
    .map(([name, count]) => `${count} ${name}`);
  const lines = [
    "",
    `${transport}, seed ${seed}: ${summary.quietPoints} quiet points, ${summary.violations.length} violations`,
    `events: ${events.join(", ")}`,
    `observers: ${observed.diffs} diffs, ${observed.snapshots} snapshots, ${observed.reconnects} reconnects, ${summary.lagged} times too slow; ${summary.restarts} restarts of the gateway`,
    `a healthy client is seen after p50 ${latency.p50.toFixed(1)}, p99 ${latency.p99.toFixed(1)}, max ${latency.max.toFixed(1)} ms (${latency.samples} samples)`,
    `event-loop delay of 10 s before a quiet point: worst p99 ${summary.loopDelayP99} ms, max ${summary.loopDelayMax} ms`,
    `resident memory: ${megabytes(rss.begin)} at the beginning, ${megabytes(rss.end)} when all have left; open files ${files.begin}, ${files.end}`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
  for (const { violation, history } of summary.violations.slice(0, MOST_PRINTED)) {
    const { invariant, userId, what } = violation;
    const before = history.map((line) => `    ${line}\n`).join("");
    process.stdout.write(`\n${invariant} ${userId ?? ""}: ${what} (seed ${seed})\n${before}`);
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "10" },
      seed: { type: "string", default: String(Date.now() % 2 ** 31) },
      transport: { type: "string", default: "uws" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return void process.stdout.write(USAGE);
  const minutes = Number(values.minutes);
  const seed = Number(values.seed);
  const { transport } = values;
  if (
    !(minutes > 0 && minutes <= 120) ||
    !Number.isInteger(seed) ||
    (transport !== "ws" && transport !== "uws")
  )
    throw new Error(`\n${USAGE}`);
  process.stdout.write(`chaos over ${transport} for ${minutes} minutes, seed ${seed}\n`);
  // Something is stuck if it takes much longer; the processes that were started end with this one.
  setTimeout(
    () => fail(new Error("it takes too long, so something is stuck")),
    minutes * 60_000 + 180_000,
  ).unref();
  const startedAt = Date.now();
  const driver = new Driver({
    transport,
    seed,
    minutes,
    say: (line) =>
      process.stdout.write(`${String(Math.round((Date.now() - startedAt) / 1000)).padStart(4)} s  ${line}\n`),
  });
  const summary = await driver.run();
  print(summary, seed, transport);
  process.exitCode = summary.violations.length > 0 ? 1 : 0;
}

function fail(error: unknown): never {
  process.stderr.write(`chaos: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
}

main().then(() => process.exit(), fail);
