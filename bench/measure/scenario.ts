import type { ServerKind } from "../servers/server-kind.ts";

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

export interface ScenarioOptions {
  /** The servers that can run on this machine. */
  readonly kinds: readonly ServerKind[];
  /** A shorter form, for trying things out. */
  readonly quick: boolean;
}

export interface Scenario {
  readonly name: string;
  readonly question: string;
  readonly rounds: number;
  /** Rounds before those that count; none where each round starts a process of its own. */
  readonly warmUps: number;
  contenders(options: ScenarioOptions): Promise<Contender[]>;
}
