import type { Effort, Figures, Target } from "./scenario.ts";

// The stored result of a run: the measured rounds and everything that is needed to interpret them.

export interface ContenderResult {
  readonly name: string;
  readonly baseline?: string;
  readonly rounds: readonly Figures[];
}

export interface ScenarioResult {
  readonly name: string;
  readonly question: string;
  readonly method: string;
  readonly targets: readonly Target[];
  readonly contenders: readonly ContenderResult[];
  readonly notes: readonly string[];
  readonly seconds: number;
}

export interface RunResult {
  readonly machine: string;
  readonly effort: Effort;
  readonly notes: readonly string[];
  readonly scenarios: readonly ScenarioResult[];
  readonly seconds: number;
}
