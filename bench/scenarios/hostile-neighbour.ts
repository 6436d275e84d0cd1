import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { ATTACKS, type AttackName } from "../load/attacks.ts";
import { LiveUsers } from "../load/live-users.ts";
import { paced } from "../load/paced.ts";
import type { Latencies } from "../measure/latencies.ts";
import type { Contender, Effort, Figures, Scenario } from "../measure/scenario.ts";
import { shortListOfGateways } from "../measure/short-list.ts";
import { appToken } from "../servers/app.ts";
import { DEFAULT_LIMITS } from "../servers/raised-limits.ts";
import type { ServerKind } from "../servers/server-kind.ts";

const FILTERS = 500;
const TRANSITIONS_PER_SECOND = 500;
const SECONDS: Readonly<Record<Effort, number>> = { quick: 1, normal: 1.5, full: 3 };
const WARM_UP_MS = 1_000;
/** Until the gateway and the attacker are as they stay. */
const SETTLE_MS = 500;

const RATIO = "p99 under attack / quiet p99";
const ATTACKED = "under attack";
const QUIET = "quiet";
const NAMES = Object.keys(ATTACKS) as AttackName[];

export const hostileNeighbour: Scenario = {
  name: "hostile-neighbour",
  question: "What does a user of an app feel of another one who attacks it?",
  method:
    "250 sockets with 10,000 users and 500 filters of 20 users, 500 transitions per second: first without " +
    "and then with an attacker, who is a user of the same app, has an address of its own, and is in a " +
    "process of its own. Default limits. The figure is the bystanders' latency from event to diff, under " +
    "attack over quiet. The attacker and the bystanders share the machine with the gateway, so part of it " +
    "is the attacker's own work.",
  rounds: { quick: 1, normal: 1, full: 1 },
  warmUps: 0,
  targets: NAMES.map((attack) => ({
    figure: `${ATTACKED}, ms p99`,
    of: nameOf("gateway-uws", attack),
    atMost: 100,
  })),
  async contenders({ kinds, effort, addNote }) {
    if (process.platform !== "linux") {
      addNote("not run here: it needs the loopback addresses of Linux");
      return [];
    }
    const contenders: Contender[] = [];
    for (const kind of shortListOfGateways(kinds, effort))
      for (const attack of NAMES) contenders.push(await contender(kind, attack, SECONDS[effort]));
    return contenders;
  },
};

function nameOf(kind: string, attack: AttackName): string {
  return `${kind}, ${attack}`;
}

async function contender(kind: ServerKind, attack: AttackName, seconds: number): Promise<Contender> {
  const server = await kind.start(DEFAULT_LIMITS);
  const live = await LiveUsers.open(server.port, await appToken(), { filters: FILTERS, watchers: 1 });
  await paced(live, TRANSITIONS_PER_SECOND, WARM_UP_MS);
  const measure = async (): Promise<Measurement> => {
    const before = await server.usage();
    const startedAt = performance.now();
    const latencies = await paced(live, TRANSITIONS_PER_SECOND, seconds * 1_000);
    const ms = performance.now() - startedAt;
    const { cpuMicros } = await server.usage();
    return { latencies, coreShare: (cpuMicros - before.cpuMicros) / (ms * 1_000) };
  };
  return {
    name: nameOf(kind.name, attack),
    async round() {
      const quiet = await measure();
      const stop = await startAttack(attack, server.port);
      try {
        return figuresOf(quiet, await measure());
      } finally {
        await stop();
      }
    },
    async close() {
      await live.close();
      await server.stop();
    },
  };
}

interface Measurement {
  readonly latencies: Latencies;
  /** The gateway's CPU time over elapsed time. */
  readonly coreShare: number;
}

function figuresOf(quiet: Measurement, attacked: Measurement): Figures {
  const figures = { ...quiet.latencies.figures(QUIET), ...attacked.latencies.figures(ATTACKED) };
  return {
    [RATIO]: figures[`${ATTACKED}, ms p99`]! / figures[`${QUIET}, ms p99`]!,
    ...figures,
    [`${QUIET}, % of a core`]: 100 * quiet.coreShare,
    [`${ATTACKED}, % of a core`]: 100 * attacked.coreShare,
  };
}

/** Resolves when the attack is under way, with a function that ends it. */
async function startAttack(attack: AttackName, port: number): Promise<() => Promise<void>> {
  const child = fork(new URL("../load/attacker.js", import.meta.url), [attack, String(port)]);
  await Promise.race([
    once(child, "message"),
    once(child, "exit").then(() => Promise.reject(new Error(`the attacker failed: ${attack}`))),
  ]);
  await delay(SETTLE_MS);
  return async () => {
    const exited = once(child, "exit");
    child.disconnect();
    await exited;
    await delay(SETTLE_MS);
  };
}
