import type { ServerKind } from "../servers/server-kind.ts";

/** How much is measured: a smoke run, a run of minutes, or one that takes its time. */
export const EFFORTS = ["quick", "normal", "full"] as const;
export type Effort = (typeof EFFORTS)[number];

/** What one round found: figures by their name, unit and all. */
export type Figures = Readonly<Record<string, number>>;

export interface Contender {
  readonly name: string;
  /** The name of the contender that this one is compared with. */
  readonly floor?: string;
  /** Measures once. Everything that was asked of the server is done before the clock stops. */
  round(): Promise<Figures>;
  close(): Promise<void>;
}

/** What a figure of a contender should be: so much by itself, or so many times that of another contender. */
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
  /** Says something to be printed with the figures: what is missing, and why. */
  note(text: string): void;
}

export interface Scenario {
  readonly name: string;
  readonly question: string;
  /** How it is measured, for those who read the figures. */
  readonly method: string;
  readonly rounds: Readonly<Record<Effort, number>>;
  /** Rounds before those that count; none where each round starts a process of its own. */
  readonly warmUps: number;
  readonly targets: readonly Target[];
  contenders(options: ScenarioOptions): Promise<Contender[]>;
}
