import type { Contender, Scenario } from "../measure/scenario.ts";
import {
  type InterestPlan,
  type Placement,
  type SizeClass,
  simulateInterest,
} from "../simulation/interest.ts";

const NODES = 50;
/** Enough that more would not change the shares. */
const USERS = 100_000;
const GROUP_SIZE = 200;
const CONTACTS = 30;

const PAIRS: readonly SizeClass[] = [{ ofUsers: 1, from: 2, to: 2 }];
const TEAMS: readonly SizeClass[] = [{ ofUsers: 1, from: 3, to: 30 }];
const MIXED: readonly SizeClass[] = [
  { ofUsers: 0.6, from: 2, to: 2 },
  { ofUsers: 0.25, from: 3, to: 30 },
  { ofUsers: 0.1, from: 31, to: 300 },
  { ofUsers: 0.05, from: 301, to: 5_000 },
];

interface Case {
  readonly name: string;
  readonly sizes: readonly SizeClass[];
  readonly contacts: number;
  readonly contactsInGroup: number;
  readonly placements: readonly Placement[];
}

const CASES: readonly Case[] = [
  { name: "pairs", sizes: PAIRS, contacts: 0, contactsInGroup: 0, placements: ["random", "by conversation"] },
  {
    name: "3 to 30",
    sizes: TEAMS,
    contacts: 0,
    contactsInGroup: 0,
    placements: ["random", "by conversation"],
  },
  { name: "mixed", sizes: MIXED, contacts: 0, contactsInGroup: 0, placements: ["random", "by conversation"] },
  {
    name: "mixed, contacts in groups",
    sizes: MIXED,
    contacts: CONTACTS,
    contactsInGroup: 0.8,
    placements: ["random", "by conversation", "by group"],
  },
  {
    name: "mixed, contacts anywhere",
    sizes: MIXED,
    contacts: CONTACTS,
    contactsInGroup: 0,
    placements: ["random", "by conversation"],
  },
];

export const interest: Scenario = {
  name: "interest",
  question:
    "If nodes followed only what is watched on them: which share of the changes would interest a node?",
  method:
    `A simulation of ${NODES} nodes; no server runs. Each user has a conversation open and watches it: ` +
    "with one other user, with 3 to 30 in all, or mixed (60 % of the users in pairs, 25 % with 3 to 30, 10 " +
    `% with 31 to 300, 5 % with 301 to 5,000). Contacts: each user also watches ${CONTACTS} users by id, ` +
    `80 % of them in the user's group of ${GROUP_SIZE}, or all of them anywhere. A user's socket is on a ` +
    "random node, or on that of the hash of the conversation or group. The share is that of the changes on " +
    "other nodes, each user with as many. Today it is 100 %.",
  rounds: { quick: 1, normal: 1, full: 1 },
  warmUps: 0,
  onlyInFullRuns: true,
  targets: [],
  contenders: async () =>
    CASES.flatMap(({ name, placements, ...rest }) =>
      placements.map((placement) =>
        contender(`${name}, ${placement}`, {
          ...rest,
          placement,
          nodes: NODES,
          users: USERS,
          groupSize: GROUP_SIZE,
        }),
      ),
    ),
};

function contender(name: string, plan: Omit<InterestPlan, "seed">): Contender {
  let seed = 0;
  return {
    name,
    async round() {
      const { share, topicsPerNode } = simulateInterest({ ...plan, seed: ++seed });
      return {
        "% of the changes of others that interest a node": 100 * share,
        "topics that a node follows, for each of its users": (topicsPerNode * NODES) / USERS,
      };
    },
    close: async () => {},
  };
}
