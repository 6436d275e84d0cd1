import type { ScenarioResult } from "./result.ts";
import type { Contender, Figures, Scenario, ScenarioOptions } from "./scenario.ts";

/**
 * Runs the contenders of a scenario alternately, so that a slow minute of the machine affects all of them.
 */
export async function compare(
  scenario: Scenario,
  options: Omit<ScenarioOptions, "addNote">,
): Promise<ScenarioResult> {
  const startedAt = performance.now();
  const notes: string[] = [];
  const kinds = options.kinds.filter(({ scenarios }) => scenarios?.includes(scenario.name) ?? true);
  const contenders = await scenario.contenders({ ...options, kinds, addNote: (text) => notes.push(text) });
  const peers = new Set(kinds.filter(({ role }) => role === "peer").map(({ name }) => name));
  const found = new Map<Contender, Figures[]>(contenders.map((each) => [each, []]));
  /** Peers that failed. A failed peer does not end the run. */
  const failed = new Set<Contender>();
  const { quickWarmUps = Math.min(1, scenario.warmUps) } = scenario;
  const warmUps = options.effort === "quick" ? quickWarmUps : scenario.warmUps;
  try {
    const rounds = scenario.rounds[options.effort];
    // Peers differ so much from the gateway that one warm-up round and a sixth of the other rounds are
    // enough.
    const peerWarmUps = warmUps > 1 ? 1 : 0;
    const peerRounds = Math.max(1, Math.floor(rounds / 6));
    for (let round = -warmUps; round < rounds; round++) {
      for (const contender of contenders) {
        if ((round < -peerWarmUps || round >= peerRounds) && peers.has(contender.name)) continue;
        if (failed.has(contender)) continue;
        try {
          const figures = await contender.round();
          if (round >= 0) found.get(contender)!.push(figures);
        } catch (error) {
          if (!peers.has(contender.name)) throw error;
          failed.add(contender);
          notes.push(`${contender.name} is left out: ${(error as Error).message}.`);
        }
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
    contenders: [...found]
      .filter(([contender]) => !failed.has(contender))
      .map(([{ name, baseline }, rounds]) => ({
        name,
        ...(baseline === undefined ? {} : { baseline }),
        rounds,
      })),
    notes,
    seconds: (performance.now() - startedAt) / 1000,
  };
}
