import { cpuPerChange, enterCrowd } from "../load/crowd.ts";
import type { Contender, Effort, Scenario } from "../measure/scenario.ts";
import { labelOf, type ServerKind } from "../servers/server-kind.ts";

const MESSAGES: Readonly<Record<Effort, number>> = { quick: 14, normal: 14, full: 14 };
const COST = "CPU µs per update";

export const update: Scenario = {
  name: "update",
  question: "What does a session update without subscribers cost?",
  method:
    "1,000 sockets take turns to send focus, typing and conversation changes, each in its own packet. " +
    "The baseline parses the same JSON and sets a Map entry: no check, no index.",
  rounds: { quick: 1, normal: 5, full: 11 },
  warmUps: 4,
  targets: [{ figure: COST, of: "gateway-uws", over: "baseline-uws", atMost: 1.15 }],
  contenders: ({ kinds, effort }) => Promise.all(kinds.map((kind) => contender(kind, effort))),
};

async function contender(kind: ServerKind, effort: Effort): Promise<Contender> {
  const server = await kind.start();
  const crowd = await enterCrowd(kind.dialect, server.port);
  return {
    ...labelOf(kind),
    round: async () => ({ [COST]: await cpuPerChange(server, crowd, MESSAGES[effort]) }),
    async close() {
      await crowd.leave();
      await server.stop();
    },
  };
}
