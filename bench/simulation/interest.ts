import { randomFrom } from "./random.ts";

// Which changes interest which node, if a node follows only what its clients watch. It starts no server, and
// knows no clock.

/**
 * How large the conversations are, by the users who have one open. The sizes of a class are evenly spread.
 */
export interface SizeClass {
  /** Share of the users, not of the conversations. */
  readonly ofUsers: number;
  readonly from: number;
  readonly to: number;
}

/** Which node has a user's socket. */
export type Placement =
  /** Any, as a load balancer chooses. */
  | "random"
  /** That of the hash of the conversation that the user has open. */
  | "by conversation"
  /** That of the hash of the user's group: a team, a customer, a school. */
  | "by group";

export interface InterestPlan {
  readonly nodes: number;
  readonly users: number;
  readonly sizes: readonly SizeClass[];
  /** Users of a group. Conversations do not cross groups, unless they are larger. */
  readonly groupSize: number;
  /** How many users a client watches by id, beside the conversation that it has open. */
  readonly contacts: number;
  /** Share of the contacts that are in the user's group. */
  readonly contactsInGroup: number;
  readonly placement: Placement;
  readonly seed: number;
}

export interface Interest {
  /** Share of the other nodes that follow something of a change, averaged over the changes of all users. */
  readonly share: number;
  /** Conversations and users that a node follows, averaged over the nodes. */
  readonly topicsPerNode: number;
}

/**
 * Each user has one conversation open and watches it, and watches contacts. Each user makes one change, which
 * interests the nodes that follow the user or the conversation.
 */
export function simulateInterest(plan: InterestPlan): Interest {
  const { nodes, users } = plan;
  const random = randomFrom(plan.seed);
  const conversationOf = conversations(plan, random);
  const nodeOf = place(plan, conversationOf, random);
  const byConversation = followersOfConversations(conversationOf, nodeOf, nodes);
  const byUser = followersOfContacts(plan, nodeOf, random);
  let interested = 0;
  for (let user = 0; user < users; user++) {
    const own = nodeOf[user]!;
    const rows = [byConversation.get(conversationOf[user]!), byUser.get(user)];
    for (let node = 0; node < nodes; node++)
      if (node !== own && rows.some((row) => row?.[node])) interested++;
  }
  const followed = [...byConversation.values(), ...byUser.values()];
  return {
    share: nodes === 1 ? 0 : interested / users / (nodes - 1),
    topicsPerNode: followed.reduce((sum, row) => sum + row.reduce((count, bit) => count + bit, 0), 0) / nodes,
  };
}

/** The conversation of each user. Neighbours by number are in the same one, and in the same group. */
function conversations({ users, sizes }: InterestPlan, random: () => number): Int32Array {
  const conversationOf = new Int32Array(users);
  let id = 0;
  for (let user = 0; user < users; id++) {
    const { from, to } = pick(sizes, random());
    const size = from + Math.floor(random() * (to - from + 1));
    conversationOf.fill(id, user, Math.min(users, user + size));
    user += size;
  }
  return conversationOf;
}

/** Chooses a class, so that it has its share of the users: large conversations are chosen less often. */
function pick(sizes: readonly SizeClass[], at: number): SizeClass {
  const weights = sizes.map(({ ofUsers, from, to }) => (2 * ofUsers) / (from + to));
  let left = at * weights.reduce((sum, weight) => sum + weight, 0);
  for (const [i, weight] of weights.entries()) {
    left -= weight;
    if (left < 0) return sizes[i]!;
  }
  return sizes.at(-1)!;
}

function place(plan: InterestPlan, conversationOf: Int32Array, random: () => number): Int32Array {
  const { nodes, users, placement, groupSize } = plan;
  const nodeOf = new Int32Array(users);
  const homes = new Map<number, number>();
  for (let user = 0; user < users; user++) {
    const anywhere = Math.floor(random() * nodes);
    if (placement === "random") {
      nodeOf[user] = anywhere;
      continue;
    }
    const key = placement === "by group" ? Math.floor(user / groupSize) : conversationOf[user]!;
    // A random node for each key is what a good hash gives.
    const home = homes.get(key) ?? anywhere;
    homes.set(key, home);
    nodeOf[user] = home;
  }
  return nodeOf;
}

/** For each topic: a flag for each node that follows it. */
type Rows = Map<number, Uint8Array>;

function follow(rows: Rows, topic: number, node: number, nodes: number): void {
  const row = rows.get(topic) ?? new Uint8Array(nodes);
  row[node] = 1;
  rows.set(topic, row);
}

function followersOfConversations(conversationOf: Int32Array, nodeOf: Int32Array, nodes: number): Rows {
  const rows: Rows = new Map();
  for (const [user, conversation] of conversationOf.entries())
    follow(rows, conversation, nodeOf[user]!, nodes);
  return rows;
}

function followersOfContacts(plan: InterestPlan, nodeOf: Int32Array, random: () => number): Rows {
  const { nodes, users, contacts, contactsInGroup, groupSize } = plan;
  const rows: Rows = new Map();
  for (let user = 0; user < users; user++) {
    const group = Math.floor(user / groupSize) * groupSize;
    const members = Math.min(groupSize, users - group);
    for (let i = 0; i < contacts; i++) {
      const contact =
        random() < contactsInGroup ? group + Math.floor(random() * members) : Math.floor(random() * users);
      follow(rows, contact, nodeOf[user]!, nodes);
    }
  }
  return rows;
}
