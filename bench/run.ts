import { parseArgs } from "node:util";
import { compare } from "./measure/compare.ts";
import { machineLine } from "./measure/machine.ts";
import type { RunResult, ScenarioResult } from "./measure/result.ts";
import type { Effort, Scenario } from "./measure/scenario.ts";
import { publishRun, readRun, storeRun } from "./report/files.ts";
import { verdictsOf } from "./report/reading.ts";
import { scenarioText } from "./report/text.ts";
import { burst } from "./scenarios/burst.ts";
import { chatList } from "./scenarios/chat-list.ts";
import { check } from "./scenarios/check.ts";
import { connect } from "./scenarios/connect.ts";
import { contactList } from "./scenarios/contact-list.ts";
import { cores } from "./scenarios/cores.ts";
import { fanOut } from "./scenarios/fan-out.ts";
import { grossMemory } from "./scenarios/gross-memory.ts";
import { hostileNeighbour } from "./scenarios/hostile-neighbour.ts";
import { idle } from "./scenarios/idle.ts";
import { interest } from "./scenarios/interest.ts";
import { live } from "./scenarios/live.ts";
import { manyCustomFilters } from "./scenarios/many-custom-filters.ts";
import { manyFilters } from "./scenarios/many-filters.ts";
import { nodesCost } from "./scenarios/nodes-cost.ts";
import { nodesLatency } from "./scenarios/nodes-latency.ts";
import { nodesReady } from "./scenarios/nodes-ready.ts";
import { nodesThroughput } from "./scenarios/nodes-throughput.ts";
import { patches } from "./scenarios/patches.ts";
import { query } from "./scenarios/query.ts";
import { queuedFanOut } from "./scenarios/queued-fan-out.ts";
import { redisCosts } from "./scenarios/redis-costs.ts";
import { roomSize } from "./scenarios/room-size.ts";
import { snapshot } from "./scenarios/snapshot.ts";
import { storm } from "./scenarios/storm.ts";
import { table } from "./scenarios/table.ts";
import { update } from "./scenarios/update.ts";
import { availableKinds, SERVER_KINDS } from "./servers/kinds.ts";
import type { ServerKind } from "./servers/server-kind.ts";

const SCENARIOS: readonly Scenario[] = [
  update,
  fanOut,
  queuedFanOut,
  burst,
  roomSize,
  manyFilters,
  manyCustomFilters,
  contactList,
  chatList,
  patches,
  live,
  query,
  check,
  idle,
  grossMemory,
  table,
  connect,
  storm,
  hostileNeighbour,
  snapshot,
  cores,
  nodesLatency,
  nodesCost,
  nodesThroughput,
  nodesReady,
  redisCosts,
  interest,
];
const NAMES = SCENARIOS.map(({ name }) => name).join(",");

const USAGE = `Usage: npm run bench -- [--only ${NAMES}]
    [--servers ${SERVER_KINDS.map(({ name }) => name).join(",")}]
    [--quick | --full | --from FILE] [--write]

Measures the gateway and the bare libraries that it runs on, each in a process of its own.
--from shows a stored run instead. --write generates bench/README.md from a run of all scenarios.
See bench/README.md.
`;

/** Whether a scenario or a server takes part in a run that does not name it. */
function isPartOf(effort: Effort, { onlyInFullRuns }: { readonly onlyInFullRuns?: true }): boolean {
  return effort !== "normal" || onlyInFullRuns === undefined;
}

function choose(only: string | undefined, effort: Effort): readonly Scenario[] {
  if (only === undefined) return SCENARIOS.filter((scenario) => isPartOf(effort, scenario));
  return only.split(",").map((name) => {
    const scenario = SCENARIOS.find((each) => each.name === name.trim());
    if (scenario === undefined)
      throw new Error(`unknown scenario ${JSON.stringify(name)}. The scenarios are ${NAMES}`);
    return scenario;
  });
}

/** A run that takes longer is stuck. The servers end together with this process. */
const LONGEST_RUN_MS: Readonly<Record<Effort, number>> = {
  quick: 10 * 60_000,
  normal: 30 * 60_000,
  full: 120 * 60_000,
};

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: "string" },
      servers: { type: "string" },
      quick: { type: "boolean" },
      full: { type: "boolean" },
      from: { type: "string" },
      write: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return void print(USAGE);
  if (values.write && (values.only ?? values.servers) !== undefined)
    throw new Error("--write needs a run of all scenarios: omit --only and --servers");
  const effort: Effort = values.quick ? "quick" : values.full ? "full" : "normal";
  const run =
    values.from === undefined
      ? await measure(effort, values.only, values.servers)
      : show(readRun(values.from));
  if (values.write) publish(run);
  if (run.effort === "quick") guard(run);
}

async function measure(
  effort: Effort,
  only: string | undefined,
  servers: string | undefined,
): Promise<RunResult> {
  const chosen = choose(only, effort);
  const wanted = servers?.split(",");
  // A smoke run checks only the gateway. Peers take more time than everything else together.
  const isWanted = (kind: ServerKind) =>
    wanted?.includes(kind.name) ?? ((effort !== "quick" || kind.role !== "peer") && isPartOf(effort, kind));
  const { kinds, notes } = await availableKinds(SERVER_KINDS.filter(isWanted));
  const machine = machineLine();
  print(`${[machine, ...notes].join("\n")}\n\n`);
  const startedAt = performance.now();
  setTimeout(
    () => fail(new Error("the run takes too long, so something is stuck")),
    LONGEST_RUN_MS[effort],
  ).unref();
  const scenarios: ScenarioResult[] = [];
  for (const scenario of chosen) {
    try {
      const result = await compare(scenario, { kinds, effort });
      print(`${scenarioText(result)}\n`);
      scenarios.push(result);
    } catch (error) {
      // The other scenarios are valid without this one.
      process.exitCode = 1;
      process.stderr.write(`bench: ${scenario.name} failed and is left out: ${(error as Error).message}\n`);
    }
  }
  const seconds = (performance.now() - startedAt) / 1000;
  const run = { machine, effort, notes, scenarios, seconds };
  print(`${Math.round(seconds)} s in total, stored in ${storeRun(run)}\n`);
  return run;
}

function show(run: RunResult): RunResult {
  print(`${[run.machine, ...run.notes].join("\n")}\n\n${run.scenarios.map(scenarioText).join("\n")}`);
  return run;
}

function publish(run: RunResult): void {
  const missing = SCENARIOS.filter(({ name }) => !run.scenarios.some((each) => each.name === name));
  if (missing.length > 0)
    throw new Error(
      "not written: the page needs all scenarios of one run, " +
        `but this run lacks ${missing.map(({ name }) => name).join(", ")}`,
    );
  publishRun(run);
  print("bench/README.md, its charts and bench/result.json were written\n");
}

/**
 * A quick run fails only if a figure is far from its target. On a shared machine a small distance means
 * nothing.
 */
function guard({ scenarios }: RunResult): void {
  const far = scenarios.flatMap((scenario) =>
    verdictsOf(scenario)
      .filter(({ isFar }) => isFar)
      .map(({ target }) => `${scenario.name}, ${target.of}: ${target.figure}`),
  );
  if (far.length > 0) throw new Error(`far from the target: ${far.join("; ")}`);
}

function print(text: string): void {
  process.stdout.write(text);
}

function fail(error: unknown): never {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

main().then(() => process.exit(), fail);
