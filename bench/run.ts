import { parseArgs } from "node:util";
import { compare } from "./measure/compare.ts";
import { machineLine } from "./measure/machine.ts";
import type { Scenario } from "./measure/scenario.ts";
import { connect } from "./scenarios/connect.ts";
import { fanOut } from "./scenarios/fan-out.ts";
import { idle } from "./scenarios/idle.ts";
import { query } from "./scenarios/query.ts";
import { table } from "./scenarios/table.ts";
import { update } from "./scenarios/update.ts";
import { availableKinds, SERVER_KINDS } from "./servers/kinds.ts";

const SCENARIOS: readonly Scenario[] = [update, fanOut, query, connect, idle, table];
const NAMES = SCENARIOS.map(({ name }) => name).join(", ");

const USAGE = `Usage: npm run bench -- [--only ${NAMES.replaceAll(" ", "")}] [--servers ${SERVER_KINDS.map(({ name }) => name).join(",")}] [--quick]

Measures the gateway beside the bare libraries that it runs on, each in a process of its own. See bench/README.md.
`;

function choose(only: string | undefined): readonly Scenario[] {
  if (only === undefined) return SCENARIOS;
  return only.split(",").map((name) => {
    const scenario = SCENARIOS.find((each) => each.name === name.trim());
    if (scenario === undefined)
      throw new Error(`there is no scenario ${JSON.stringify(name)}; there are ${NAMES}`);
    return scenario;
  });
}

/** Something is stuck if it takes this long; the servers end with this process. */
const LONGEST_RUN_MS = 15 * 60_000;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: "string" },
      servers: { type: "string" },
      quick: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return void process.stdout.write(USAGE);
  const chosen = choose(values.only);
  const servers = values.servers?.split(",");
  const { kinds, notes } = await availableKinds(
    SERVER_KINDS.filter(({ name }) => servers?.includes(name) ?? true),
  );
  process.stdout.write(`${machineLine()}\n`);
  for (const note of notes) process.stdout.write(`${note}\n`);
  const startedAt = performance.now();
  setTimeout(() => fail(new Error("it takes too long, so something is stuck")), LONGEST_RUN_MS).unref();
  for (const scenario of chosen) await compare(scenario, { kinds, quick: values.quick ?? false });
  process.stdout.write(`\n${Math.round((performance.now() - startedAt) / 1000)} s in all\n`);
}

function fail(error: unknown): never {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

main().then(() => process.exit(0), fail);
