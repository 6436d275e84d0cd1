import { parseArgs } from "node:util";
import { Driver } from "./driver.ts";
import { NodesDriver, type NodesSummary } from "./nodes/nodes-driver.ts";
import type { Summary } from "./summary.ts";

const USAGE = `Usage: npm run chaos -- [--minutes 10] [--seed 7] [--transport ws|uws] [--nodes 3 [--only <text>]]

Starts a gateway and does to it what happens to gateways, and compares what everybody sees whenever it rests. With --nodes: so many
gateways on a Redis, with a transport of their own each unless one is said; they, and Redis, have what happens to them, or only
what has this text in its name.
Exit code 1: an invariant was broken; the seed, and what happened before, are printed.
`;

/** One defect may cause very many violations. */
const MOST_PRINTED = 10;

function megabytes(bytes: number | undefined): string {
  return bytes === undefined ? "?" : `${(bytes / 1e6).toFixed(1)} MB`;
}

function listed(events: ReadonlyMap<string, number>): string {
  const sorted = [...events].toSorted(([, a], [, b]) => b - a);
  return sorted.map(([name, count]) => `${count} ${name}`).join(", ");
}

function print(summary: Summary, seed: number, transport: string): void {
  const { latency, rss, files, observed } = summary;
  const lines = [
    "",
    `${transport}, seed ${seed}: ${summary.quietPoints} quiet points, ${summary.violations.length} violations`,
    `events: ${listed(summary.events)}`,
    `observers: ${observed.diffs} diffs, ${observed.snapshots} snapshots, ${observed.reconnects} reconnects, ${summary.lagged} times too slow; ${summary.restarts} restarts of the gateway`,
    `a healthy client is seen after p50 ${latency.p50.toFixed(1)}, p99 ${latency.p99.toFixed(1)}, max ${latency.max.toFixed(1)} ms (${latency.samples} samples)`,
    `event-loop delay of 10 s before a quiet point: worst p99 ${summary.loopDelayP99} ms, max ${summary.loopDelayMax} ms`,
    `resident memory: ${megabytes(rss.begin)} at the beginning, ${megabytes(rss.end)} when all have left; open files ${files.begin}, ${files.end}`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
  printViolations(summary.violations, seed);
}

function printNodes(summary: NodesSummary, seed: number, nodes: number): void {
  const { quietPoints, violations, events, diffs, snapshots, visits, sightings } = summary;
  const lines = [
    "",
    `${nodes} nodes, seed ${seed}: ${quietPoints} quiet points, ${violations.length} violations`,
    `events: ${listed(events)}`,
    `observers: ${diffs} diffs, ${snapshots} snapshots; ${visits} visits with five tabs on any nodes were seen to begin and end ${sightings} times`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
  printViolations(violations, seed);
}

function printViolations(violations: Summary["violations"], seed: number): void {
  for (const { violation, history } of violations.slice(0, MOST_PRINTED)) {
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
      transport: { type: "string" },
      nodes: { type: "string", default: "1" },
      only: { type: "string", default: "" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return void process.stdout.write(USAGE);
  const minutes = Number(values.minutes);
  const seed = Number(values.seed);
  const nodes = Number(values.nodes);
  const { transport } = values;
  if (
    !(minutes > 0 && minutes <= 120) ||
    !Number.isInteger(seed) ||
    !(Number.isInteger(nodes) && nodes >= 1 && nodes <= 9) ||
    (transport !== undefined && transport !== "ws" && transport !== "uws")
  )
    throw new Error(`\n${USAGE}`);
  process.stdout.write(
    `chaos over ${nodes > 1 ? `${nodes} nodes` : (transport ?? "uws")} for ${minutes} minutes, seed ${seed}\n`,
  );
  // A run that takes much longer is stuck. The started processes end with this one.
  setTimeout(
    () => fail(new Error("it takes too long, so something is stuck")),
    minutes * 60_000 + 180_000,
  ).unref();
  const startedAt = Date.now();
  const say = (line: string) =>
    void process.stdout.write(
      `${String(Math.round((Date.now() - startedAt) / 1000)).padStart(4)} s  ${line}\n`,
    );
  let violations: Summary["violations"];
  if (nodes > 1) {
    const summary = await new NodesDriver({ nodes, transport, seed, minutes, only: values.only, say }).run();
    printNodes(summary, seed, nodes);
    violations = summary.violations;
  } else {
    const driver = new Driver({ transport: transport ?? "uws", seed, minutes, say });
    const summary = await driver.run();
    print(summary, seed, transport ?? "uws");
    violations = summary.violations;
  }
  process.exitCode = violations.length > 0 ? 1 : 0;
}

function fail(error: unknown): never {
  process.stderr.write(`chaos: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
}

main().then(() => process.exit(), fail);
