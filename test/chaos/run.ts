import { parseArgs } from "node:util";
import { Driver } from "./driver.ts";
import { NodesDriver, type NodesSummary } from "./nodes/nodes-driver.ts";
import type { Summary } from "./summary.ts";

const USAGE = `Usage: npm run chaos -- [--minutes 10] [--seed 7] [--transport ws|uws] [--nodes 3 [--only <text>]]

Starts a gateway, applies random faults, and compares the state of all clients at each pause.
--nodes starts several gateways that share a Redis, and applies faults to them and to Redis.
Their transports differ, unless --transport names one. --only selects the faults whose name contains a text.
Exit code 1: an invariant was broken. The output contains the seed and the previous events.
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

function printSummary(summary: Summary, seed: number, transport: string): void {
  const { latency, rss, files, observed, machineDelayMs } = summary;
  const lines = [
    "",
    `${transport}, seed ${seed}: ${summary.quietPoints} quiet points, ${summary.violations.length} violations`,
    `events: ${listed(summary.events)}`,
    `observers: ${observed.diffs} diffs, ${observed.snapshots} snapshots, ${observed.reconnects} reconnects, ` +
      `too slow ${summary.lagged} times`,
    `restarts of the gateway: ${summary.restarts}`,
    `latency of a healthy client: p50 ${latency.p50.toFixed(1)}, p99 ${latency.p99.toFixed(1)}, ` +
      `max ${latency.max.toFixed(1)} ms (${latency.samples} samples)`,
    `event-loop delay in the 10 s before a quiet point: worst p99 ${summary.loopDelayP99} ms, ` +
      `max ${summary.loopDelayMax} ms`,
    `delay of this machine, for which deadlines had extra time: at most ${machineDelayMs.toFixed(0)} ms`,
    `resident memory: ${megabytes(rss.begin)} at the beginning, ${megabytes(rss.end)} after all clients left`,
    `open files: ${files.begin} at the beginning, ${files.end} after all clients left`,
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
    `observers: ${diffs} diffs, ${snapshots} snapshots`,
    `${visits} visits with five tabs on any nodes: ${sightings} observed beginnings and ends`,
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
  const subject = nodes > 1 ? `${nodes} nodes` : (transport ?? "uws");
  process.stdout.write(`chaos over ${subject} for ${minutes} minutes, seed ${seed}\n`);
  // A run that takes much longer is stuck. The started processes end with this one.
  setTimeout(
    () => fail(new Error("the run takes too long, so something is stuck")),
    minutes * 60_000 + 500_000,
  ).unref();
  const startedAt = Date.now();
  const print = (line: string) =>
    void process.stdout.write(
      `${String(Math.round((Date.now() - startedAt) / 1000)).padStart(4)} s  ${line}\n`,
    );
  let violations: Summary["violations"];
  if (nodes > 1) {
    const summary = await new NodesDriver({
      nodes,
      transport,
      seed,
      minutes,
      only: values.only,
      print,
    }).run();
    printNodes(summary, seed, nodes);
    violations = summary.violations;
  } else {
    const driver = new Driver({ transport: transport ?? "uws", seed, minutes, print });
    const summary = await driver.run();
    printSummary(summary, seed, transport ?? "uws");
    violations = summary.violations;
  }
  process.exitCode = violations.length > 0 ? 1 : 0;
}

function fail(error: unknown): never {
  process.stderr.write(`chaos: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
}

main().then(() => process.exit(), fail);
