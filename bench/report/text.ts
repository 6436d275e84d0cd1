import type { ScenarioResult } from "../measure/result.ts";
import { format } from "../measure/statistics.ts";
import {
  distance,
  type FigureTable,
  formatRange,
  inWords,
  tablesOf,
  type Verdict,
  verdictsOf,
} from "./reading.ts";

/** The figures and targets of a scenario as text for a terminal. */
export function scenarioText(result: ScenarioResult): string {
  const { name, question, notes, seconds } = result;
  return [
    `${name}: ${question}`,
    ...notes.map((note) => `  ${note}`),
    ...tablesOf(result).flatMap(tableLines),
    ...verdictsOf(result).map(verdictLine),
    `  ${Math.round(seconds)} s`,
    "",
  ].join("\n");
}

function verdictLine(verdict: Verdict): string {
  const { target, value, isMet } = verdict;
  const found = value === undefined ? "" : `${format(value)}, `;
  const mark = isMet ? "✓" : "✗";
  return `  ${mark} ${target.of}: ${target.figure} ${inWords(target)}: ${found}${distance(verdict)}`;
}

function tableLines({ figure, rows }: FigureTable): string[] {
  const width = Math.max(figure.length, ...rows.map(({ contender }) => contender.length)) + 2;
  return [
    `  ${figure.padEnd(width)}${"median".padStart(10)}${"min – max".padStart(20)}`,
    ...rows.map(({ contender, value, ratio }) => {
      const cells = [format(value.median).padStart(10), formatRange(value).padStart(20)];
      if (ratio) cells.push(`  ${format(ratio.median)} × ${ratio.to} (${formatRange(ratio)})`);
      return `  ${contender.padEnd(width)}${cells.join("")}`;
    }),
  ];
}
