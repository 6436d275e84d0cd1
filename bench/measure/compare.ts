import type { Contender, Figures, Scenario, ScenarioOptions } from "./scenario.ts";
import { format, spreadOf } from "./statistics.ts";

/** Runs the contenders of a scenario in turn, so that a slow minute of the machine hits all of them, and prints a table. */
export async function compare(scenario: Scenario, options: ScenarioOptions): Promise<void> {
  print(`\n${scenario.name}: ${scenario.question}`);
  const contenders = await scenario.contenders(options);
  const found = new Map<Contender, Figures[]>(contenders.map((each) => [each, []]));
  try {
    const rounds = options.quick ? 1 : scenario.rounds;
    const warmUps = options.quick ? Math.min(1, scenario.warmUps) : scenario.warmUps;
    for (let round = -warmUps; round < rounds; round++) {
      for (const contender of contenders) {
        const figures = await contender.round();
        if (round >= 0) found.get(contender)!.push(figures);
      }
    }
  } finally {
    for (const contender of contenders) await contender.close();
  }
  const units = new Set([...found.values()].flat().flatMap((figures) => Object.keys(figures)));
  for (const unit of units) printUnit(unit, found);
}

function printUnit(unit: string, found: ReadonlyMap<Contender, Figures[]>): void {
  const medians = new Map<string, number>();
  const rows: { contender: Contender; cells: string[] }[] = [];
  for (const [contender, figures] of found) {
    const values = figures.flatMap((each) => each[unit] ?? []);
    if (values.length === 0) continue;
    const { median, min, max } = spreadOf(values);
    medians.set(contender.name, median);
    rows.push({ contender, cells: [format(median), `${format(min)} – ${format(max)}`] });
  }
  for (const { contender, cells } of rows) {
    const floor = contender.floor === undefined ? undefined : medians.get(contender.floor);
    cells.push(
      floor === undefined ? "" : `${format(medians.get(contender.name)! / floor)} × ${contender.floor}`,
    );
  }
  const width = Math.max(unit.length, ...rows.map(({ contender }) => contender.name.length)) + 2;
  print(`  ${unit.padEnd(width)}${"median".padStart(9)}${"min – max".padStart(19)}`);
  for (const { contender, cells } of rows) {
    const [median = "", range = "", ratio = ""] = cells;
    print(`  ${contender.name.padEnd(width)}${median.padStart(9)}${range.padStart(19)}  ${ratio}`.trimEnd());
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
