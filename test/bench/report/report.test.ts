import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { RunResult, ScenarioResult } from "../../../bench/measure/result.ts";
import type { Figures, Target } from "../../../bench/measure/scenario.ts";
import { distance, inWords, tablesOf, verdictsOf } from "../../../bench/report/reading.ts";
import { renderReport } from "../../../bench/report/readme.ts";
import { scenarioText } from "../../../bench/report/text.ts";
import { PROJECT } from "../../support/process.ts";

const BENCH = join(PROJECT, "bench");

function scenario(
  contenders: Record<string, readonly Figures[]>,
  targets: readonly Target[],
): ScenarioResult {
  return {
    name: "walk",
    question: "How far?",
    method: "By foot.",
    targets,
    contenders: Object.entries(contenders).map(([name, rounds]) => ({
      name,
      ...(name.startsWith("gateway") ? { baseline: "baseline" } : {}),
      rounds,
    })),
    notes: ["the <peer> is missing"],
    seconds: 3,
  };
}

const COST = "µs per step";
const costs = (...values: number[]): Figures[] => values.map((value) => ({ [COST]: value }));
const verdict = (contenders: Record<string, readonly Figures[]>, target: Target) => {
  const [found] = verdictsOf(scenario(contenders, [target]));
  return { ...found!, distance: distance(found!) };
};

describe("a figure and its target", () => {
  it("the figure is the median of the rounds, and a ratio that of the same rounds", () => {
    // The second round was slow for both contenders, so it is not an outlier of the ratio.
    const [table] = tablesOf(scenario({ gateway: costs(12, 50, 13), baseline: costs(10, 40, 10) }, []));
    expect(table!.figure).toBe(COST);
    expect(table!.rows[0]!.value).toEqual({ median: 13, min: 12, max: 50 });
    expect(table!.rows[0]!.ratio).toEqual({ median: 1.25, min: 1.2, max: 1.3, to: "baseline" });
    expect(table!.rows[1]!.ratio).toBeUndefined();
  });

  const ratio: Target = { figure: COST, of: "gateway", over: "baseline", atMost: 1.2 };
  it.each([
    [11, "met", false],
    [15, "missed by 25.0 %", false],
    [24, "missed by 100 %", false],
    [25, "missed by 108 %", true],
  ])("of %d to 10, at most 1.2 times: %s", (cost, words, isFar) => {
    expect(verdict({ gateway: costs(cost), baseline: costs(10) }, ratio)).toMatchObject({
      isMet: words === "met",
      distance: words,
      isFar,
    });
    expect(inWords(ratio)).toBe("at most 1.2 × baseline");
  });

  it("a figure is not far if only the machine is slow, or if it was not measured", () => {
    const absolute: Target = { figure: COST, of: "gateway", atMost: 1 };
    expect(verdict({ gateway: costs(9) }, absolute)).toMatchObject({ isMet: false, isFar: false });
    expect(verdict({ baseline: costs(9) }, absolute)).toMatchObject({
      distance: "not measured",
      isFar: false,
    });
    expect(verdict({ gateway: costs(9) }, ratio)).toMatchObject({ distance: "not measured", isFar: false });
  });

  it("a target may be a lower bound", () => {
    const atLeast: Target = { figure: COST, of: "gateway", atLeast: 100 };
    expect(verdict({ gateway: costs(120) }, atLeast).distance).toBe("met");
    expect(verdict({ gateway: costs(75) }, atLeast).distance).toBe("missed by 25.0 %");
  });

  it("a target of zero is missed by any round above zero", () => {
    const never: Target = { figure: COST, of: "gateway", atMost: 0 };
    expect(verdict({ gateway: costs(0, 0, 0) }, never)).toMatchObject({ isMet: true });
    expect(verdict({ gateway: costs(0, 7, 0) }, never)).toMatchObject({
      distance: "missed: 7.00",
    });
  });
});

describe("the report of a run", () => {
  const target: Target = { figure: COST, of: "gateway", over: "baseline", atMost: 1.1 };
  const run: RunResult = {
    machine: "a machine",
    effort: "normal",
    notes: [],
    scenarios: [
      scenario({ gateway: costs(12, 14), baseline: costs(10, 10), "a <peer>": costs(1234) }, [target]),
    ],
    seconds: 61.7,
  };

  it("contains figures, verdicts and missing peers, as text and as a page with charts", () => {
    const text = scenarioText(run.scenarios[0]!);
    const files = renderReport(run);
    const page = files.get("README.md")!;
    for (const form of [text, page]) {
      expect(form).toContain("How far?");
      expect(form).toContain("the <peer> is missing");
      expect(form).toContain("12.0 – 14.0");
      expect(form).toContain("at most 1.1 × baseline");
      expect(form).toContain("missed by 18.2 %");
    }
    expect(page).toContain("62 s in total");
    expect([...files.keys()]).toEqual(["README.md", "charts/targets.svg", "charts/walk.svg"]);
    expect(page).toContain("(charts/walk.svg)");
  });

  it("draws a bar for each contender, and the target on the bar of its figure", () => {
    const svg = renderReport(run).get("charts/walk.svg")!;
    const widths = [...svg.matchAll(/<rect class="(\w+)"[^>]* width="([\d.]+)" height="16"/g)];
    expect(widths.map(([, kind]) => kind)).toEqual(["gateway", "baseline", "other"]);
    const [ours, baseline, peer] = widths.map(([, , width]) => Number(width));
    expect(peer! > ours! && ours! > baseline! && baseline! > 0).toBe(true);
    expect(svg.match(/<line class="target"/g)).toHaveLength(1);
    expect(svg).toContain("a &#60;peer&#62;");
    expect(svg).toContain("prefers-color-scheme: dark");
  });
});

describe("bench/README.md", () => {
  it("and its charts are generated from the stored run", () => {
    const stored: RunResult = JSON.parse(readFileSync(join(BENCH, "result.json"), "utf8"));
    const files = renderReport(stored);
    for (const [path, text] of files) expect(readFileSync(join(BENCH, path), "utf8"), path).toBe(text);
    const charts = readdirSync(join(BENCH, "charts")).map((name) => `charts/${name}`);
    expect([...files.keys()].filter((path) => path !== "README.md").sort()).toEqual(charts.sort());
    expect(verdictsOf(stored.scenarios[0]!)[0]!.value).toBeGreaterThan(0);
  });
});
