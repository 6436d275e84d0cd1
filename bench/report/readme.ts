import type { RunResult, ScenarioResult } from "../measure/result.ts";
import { format } from "../measure/statistics.ts";
import { type Bar, barChart } from "./bar-chart.ts";
import {
  distance,
  type FigureTable,
  formatRange,
  inWords,
  type Row,
  tablesOf,
  type Verdict,
  verdictsOf,
} from "./reading.ts";

/** All files that are made from a run, by their path in bench/. */
export function renderReport(run: RunResult): ReadonlyMap<string, string> {
  const files = new Map([
    ["README.md", readme(run)],
    ["charts/targets.svg", targetsChart(run)],
  ]);
  for (const scenario of run.scenarios.filter(hasChart)) {
    const [first] = tablesOf(scenario);
    files.set(chartPath(scenario), chart(scenario, first!));
  }
  return files;
}

/** A bar by itself says nothing. */
function hasChart(scenario: ScenarioResult): boolean {
  const [first] = tablesOf(scenario);
  return first !== undefined && first.rows.length > 1;
}

/** How often the target: three times is as bad as a bar can look. */
const WORST = 3;

function targetsChart({ scenarios }: RunResult): string {
  const bars = scenarios.flatMap((scenario) =>
    verdictsOf(scenario).flatMap(({ target, value, isMet }): Bar[] => {
      const { atMost, atLeast } = target;
      // What is never to happen has no size.
      if (value === undefined || atMost === 0) return [];
      const times = atMost !== undefined ? value / atMost : atLeast! / value;
      const label = `${scenario.name}: ${target.figure}`;
      return [
        {
          label,
          value: { median: times, min: times, max: times },
          kind: isMet ? "gateway" : "other",
          target: 1,
        },
      ];
    }),
  );
  return barChart("Times the target: up to the line is met", bars, WORST);
}

function chartPath({ name }: ScenarioResult): string {
  return `charts/${name}.svg`;
}

function chart(scenario: ScenarioResult, { figure, rows }: FigureTable): string {
  const bars = rows.map(({ contender, value }): Bar => {
    const verdict = verdictsOf(scenario).find(
      ({ target }) => target.figure === figure && target.of === contender,
    );
    const target = verdict && placeOf(verdict, rows);
    const kind = contender.startsWith("gateway")
      ? "gateway"
      : contender.startsWith("floor")
        ? "floor"
        : "other";
    return { label: contender, value, kind, ...(target === undefined ? {} : { target }) };
  });
  return barChart(`${scenario.name}: ${figure}`, bars);
}

/** Where a target lies on the scale of its figure. */
function placeOf({ target }: Verdict, rows: readonly Row[]): number | undefined {
  const bound = target.atMost ?? target.atLeast!;
  if (target.over === undefined) return bound;
  const other = rows.find(({ contender }) => contender === target.over);
  return other && bound * other.value.median;
}

function readme(run: RunResult): string {
  const targets = run.scenarios.flatMap((scenario) =>
    verdictsOf(scenario).map((verdict) => targetRow(scenario, verdict)),
  );
  return `<!-- Made by \`npm run bench -- --write\`: what is changed here by hand is lost. The words are in bench/report and bench/scenarios. -->

# Benchmarks

    npm run bench                          # all of it, some five minutes on a machine of its own
    npm run bench -- --full                # more rounds and contenders, some 13 minutes
    npm run bench -- --quick               # a smoke run for CI: one round, hardly warm, not to be quoted
    npm run bench -- --only update,query
    npm run bench -- --servers gateway-uws,floor-uws
    npm run bench -- --full --write        # makes this page of it
    npm run bench -- --from FILE [--write] # prints a stored run, or makes this page of it

Every run is stored as JSON in \`dist/dev/bench-results\`, round by round. \`BENCH_PROFILE=folder npm run bench -- --only query\` writes a CPU
profile of every server there. The quick form fails if a ratio is worse than twice its target. The simulated users of \`npm run demo\` are a command of
the gateway: \`npx presence-gateway crowd --help\`.

## How it is measured

- Each server runs in a process of its own and is loaded from another, on one machine over loopback. Its limits are out of the way, unless they are the question.
- The **floor** is the bare library under the gateway doing the least that can be done with the same bytes: no check, no index, no
  token, no limit. So the ratio says what the gateway adds, whatever the machine.
- **Peers** are what people would use instead, each set up as its users would, spoken to in its own protocol, with the same users, tokens and changes: a file each in
  \`bench/peers\`. One that is not there is said to be missing, with how to get it; one that loses events is left out. What is not Node's is measured with its children, from
  \`/proc\`, so on Linux only. Centrifuge is built with Go, which takes a minute or two the first time.
- **CPU** is that of the server process, user and system with its helper threads, per unit of work: the clock of a shared machine lies, this much less. Everything that was
  asked of a server is answered before its CPU is read.
- **Latency** is from the time when an event was to be sent (late senders are no excuse) until its diff has come, seen by the client, which shares the machine.
- **Rates** a second are by the clock and say as much about the load, which shares the machine.
- The contenders take turns round by round, after rounds that do not count. Figures are medians of the rounds, with the least and the most; a ratio is the median of the rounds' ratios.

## The last run

    ${run.machine}
    ${run.effort} run, ${Math.round(run.seconds)} s in all

${run.notes.map((note) => `- ${note}\n`).join("")}
![How far from their targets](charts/targets.svg)

| scenario | of | figure | target | measured | |
|---|---|---|---|---|---|
${targets.join("\n")}

${run.scenarios.map(section).join("\n")}`;
}

function targetRow({ name }: ScenarioResult, verdict: Verdict): string {
  const { target, value, isMet } = verdict;
  const found = value === undefined ? "–" : format(value);
  return `| [${name}](#${name}) | ${target.of} | ${target.figure} | ${inWords(target)} | ${found} | ${isMet ? "met" : `**${distance(verdict)}**`} |`;
}

function section(scenario: ScenarioResult): string {
  const tables = tablesOf(scenario);
  const rows = scenario.contenders.map(({ name }) => {
    const cells = tables.map(({ rows }) => cell(rows.find(({ contender }) => contender === name)));
    return `| ${[name, ...cells].join(" | ")} |`;
  });
  const head = ["", ...tables.map(({ figure }) => figure)];
  return `### ${scenario.name}

**${scenario.question}** ${scenario.method}
${scenario.notes.map((note) => `\n${note}\n`).join("")}${hasChart(scenario) ? `\n![${scenario.name}](${chartPath(scenario)})\n` : ""}
| ${head.join(" | ")} |
|${"---|".repeat(head.length)}
${rows.join("\n")}
`;
}

function cell(row: Row | undefined): string {
  if (row === undefined) return "–";
  const ratio = row.ratio === undefined ? "" : `<br>${format(row.ratio.median)} × ${row.ratio.to}`;
  return `${format(row.value.median)}<br><sub>${formatRange(row.value)}</sub>${ratio}`;
}
