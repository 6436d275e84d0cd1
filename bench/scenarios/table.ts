import type { Contender, Scenario } from "../measure/scenario.ts";
import { ServerProcess } from "../servers/server-process.ts";
import type { TablePlan } from "../servers/table.ts";

const SESSIONS = 1_000_000;
const ROW = "heap bytes per row";
const WORST = "one a user, a conversation each";
const USUAL = "two a user, 20 users a conversation";

export const table: Scenario = {
  name: "table",
  question: "How much heap does a row of the session table use, with 1,000,000 rows?",
  method:
    "Growth of the heap by the rows, their ids and their share of every index, after garbage " +
    "collection. Full runs also have the worst case: no two sessions share a user or a conversation.",
  rounds: { quick: 1, normal: 1, full: 1 },
  warmUps: 0,
  onlyInFullRuns: true,
  targets: [{ figure: ROW, of: USUAL, atMost: 600 }],
  contenders: async ({ effort }) => {
    const sessions = effort === "quick" ? 200_000 : SESSIONS;
    const usual = contender(USUAL, { sessions, sessionsPerUser: 2, usersPerConversation: 20 });
    if (effort !== "full") return [usual];
    return [usual, contender(WORST, { sessions, sessionsPerUser: 1, usersPerConversation: 1 })];
  },
};

function contender(name: string, plan: TablePlan): Contender {
  return {
    name,
    async round() {
      const child = await ServerProcess.start(new URL("../servers/table.js", import.meta.url), "table");
      try {
        const before = await child.usageAfterGc();
        await child.prepare(JSON.stringify(plan));
        const after = await child.usageAfterGc();
        return {
          [ROW]: (after.heapBytes! - before.heapBytes!) / plan.sessions,
          "CPU µs to open a row": (after.cpuMicros - before.cpuMicros) / plan.sessions,
        };
      } finally {
        await child.stop();
      }
    },
    close: async () => {},
  };
}
