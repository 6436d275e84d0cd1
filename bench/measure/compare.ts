import type { ScenarioResult } from "./result.ts";
import type { Contender, Effort, Figures, Scenario, ScenarioOptions } from "./scenario.ts";

/** Peers are far enough from the gateway that less will do. */
const MOST_PEER_ROUNDS: Readonly<Record<Effort, number>> = { quick: 1, normal: 3, full: 5 };

/** Runs the contenders of a scenario in turn, so that a slow minute of the machine hits all of them. */
export async function compare(
  scenario: Scenario,
  options: Omit<ScenarioOptions, "note">,
): Promise<ScenarioResult> {
  const startedAt = performance.now();
  const notes: string[] = [];
  const kinds = options.kinds.filter(({ scenarios }) => scenarios?.includes(scenario.name) ?? true);
  const contenders = await scenario.contenders({ ...options, kinds, note: (text) => notes.push(text) });
  const peers = new Set(kinds.filter(({ role }) => role === "peer").map(({ name }) => name));
  const found = new Map<Contender, Figures[]>(contenders.map((each) => [each, []]));
  const warmUps = options.effort === "quick" ? Math.min(1, scenario.warmUps) : scenario.warmUps;
  try {
    for (let round = -warmUps; round < scenario.rounds[options.effort]; round++) {
      for (const contender of contenders) {
        if (round >= MOST_PEER_ROUNDS[options.effort] && peers.has(contender.name)) continue;
        const figures = await contender.round();
        if (round >= 0) found.get(contender)!.push(figures);
      }
    }
  } finally {
    for (const contender of contenders) await contender.close();
  }
  const { name, question, method, targets } = scenario;
  return {
    name,
    question,
    method,
    targets,
    contenders: [...found].map(([{ name, floor }, rounds]) => ({
      name,
      ...(floor === undefined ? {} : { floor }),
      rounds,
    })),
    notes,
    seconds: (performance.now() - startedAt) / 1000,
  };
}
