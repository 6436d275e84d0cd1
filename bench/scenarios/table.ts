import type { Contender, Scenario } from "../measure/scenario.ts";
import { ServerProcess } from "../servers/server-process.ts";
import type { TablePlan } from "../servers/table.ts";

/*
 * The question: how much heap does a row of the session table hold, its share of every index in it? Strings are counted
 * too: each row has its own copies of the ids that came with it.
 */

const SESSIONS = 1_000_000;

export const table: Scenario = {
  name: "table",
  question: "how much heap does a row of the table hold? 1,000,000 sessions",
  rounds: 1,
  warmUps: 0,
  contenders: async ({ quick }) => {
    const sessions = quick ? 200_000 : SESSIONS;
    return [
      contender("two a user, 20 users a conversation", {
        sessions,
        sessionsPerUser: 2,
        usersPerConversation: 20,
      }),
      contender("one a user, a conversation each", { sessions, sessionsPerUser: 1, usersPerConversation: 1 }),
    ];
  },
};

function contender(name: string, plan: TablePlan): Contender {
  return {
    name,
    async round() {
      const child = await ServerProcess.start(new URL("../servers/table.js", import.meta.url), "table");
      try {
        const before = await child.settledUsage();
        await child.say(JSON.stringify(plan));
        const after = await child.settledUsage();
        return {
          "heap bytes per row": (after.heapBytes - before.heapBytes) / plan.sessions,
          "CPU µs to open a row": (after.cpuMicros - before.cpuMicros) / plan.sessions,
        };
      } finally {
        await child.stop();
      }
    },
    close: async () => {},
  };
}
