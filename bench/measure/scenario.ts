import type { ServerKind } from "../servers/server-kind.ts";

/** The length of a run: a smoke run, a run of some minutes, or a long run. */
export const EFFORTS = ["quick", "normal", "full"] as const;
export type Effort = (typeof EFFORTS)[number];

/** The figures of one round by name. The name contains the unit. */
export type Figures = Readonly<Record<string, number>>;

export interface Contender {
  readonly name: string;
  /** The name of the contender that this one is compared with. */
  readonly baseline?: string;
  /** Measures once. The server has finished all work of the round before the clock stops. */
  round(): Promise<Figures>;
  close(): Promise<void>;
}

/**
 * The wanted bound of a contender's figure: an absolute value, or a multiple of another contender's figure.
 */
export interface Target {
  readonly figure: string;
  readonly of: string;
  readonly over?: string;
  readonly atMost?: number;
  readonly atLeast?: number;
}

export interface ScenarioOptions {
  /** The servers that can run on this machine. */
  readonly kinds: readonly ServerKind[];
  readonly effort: Effort;
  /** Adds a text that is printed with the figures, for example what is missing and why. */
  addNote(text: string): void;
}

export interface Scenario {
  readonly name: string;
  readonly question: string;
  /** How the scenario measures, for readers of the figures. */
  readonly method: string;
  readonly rounds: Readonly<Record<Effort, number>>;
  /** Rounds before those that count. None if each round starts a new process. */
  readonly warmUps: number;
  /** Those of a quick run, by default at most one. Code that V8 compiles late needs more. */
  readonly quickWarmUps?: number;
  /** Normal runs leave it out, unless it is named. */
  readonly onlyInFullRuns?: true;
  readonly targets: readonly Target[];
  contenders(options: ScenarioOptions): Promise<Contender[]>;
}
