import type { PresenceSession, PresenceValue } from "../../client/types.ts";

export type Presences = Readonly<Record<string, PresenceValue>>;

/** Something that two answers to the same question say differently about a user. */
export interface Difference {
  readonly userId: string;
  /** `user` if only one of them has the user; otherwise what differs, such as `widgets.hasFocus`. */
  readonly field: string;
  /** null: nothing. */
  readonly talkjs: unknown;
  readonly gateway: unknown;
}

export interface Comparison {
  /** Number of users of whom both say the same. */
  readonly alike: number;
  /** In the order of the users' ids. */
  readonly differences: readonly Difference[];
}

const LISTS = ["widgets", "backgroundSessions"] as const;
/** The id of a session is made by each of them, and is not compared. */
const FIELDS = ["selectedConversationId", "hasFocus", "isTyping", "custom"] as const;
type Compared = Pick<PresenceSession, (typeof FIELDS)[number]>;

/** Compares two answers. The order of users, of sessions and of custom fields means nothing. */
export function comparePresences(talkjs: Presences, gateway: Presences): Comparison {
  const ids = [...new Set([...Object.keys(talkjs), ...Object.keys(gateway)])].sort();
  let alike = 0;
  const differences = ids.flatMap((userId) => {
    const found = compareUsers(userId, own(talkjs, userId), own(gateway, userId));
    if (found.length === 0) alike++;
    return found;
  });
  return { alike, differences };
}

/**
 * The differences that were there before, too. People come and go between two answers, so one that stays is
 * more than that.
 */
export function lastingDifferences(before: Comparison, { alike, differences }: Comparison): Comparison {
  const keys = new Set(before.differences.map(keyOf));
  const lasting = differences.filter((difference) => keys.has(keyOf(difference)));
  const usersOf = (list: readonly Difference[]) => new Set(list.map(({ userId }) => userId)).size;
  return { alike: alike + usersOf(differences) - usersOf(lasting), differences: lasting };
}

const keyOf = ({ userId, field }: Difference) => JSON.stringify([userId, field]);

function own(presences: Presences, userId: string): PresenceValue | undefined {
  return Object.hasOwn(presences, userId) ? presences[userId] : undefined;
}

function compareUsers(
  userId: string,
  talkjs: PresenceValue | undefined,
  gateway: PresenceValue | undefined,
): Difference[] {
  if (talkjs === undefined || gateway === undefined) {
    return [{ userId, field: "user", talkjs: talkjs ?? null, gateway: gateway ?? null }];
  }
  const found: Difference[] = [];
  if (talkjs.status !== gateway.status) {
    found.push({ userId, field: "status", talkjs: talkjs.status, gateway: gateway.status });
  }
  for (const list of LISTS) found.push(...compareSessions(userId, list, talkjs[list], gateway[list]));
  return found;
}

/** Sessions that are alike belong together. The others are compared in their order. */
function compareSessions(
  userId: string,
  list: (typeof LISTS)[number],
  talkjs: readonly PresenceSession[] = [],
  gateway: readonly PresenceSession[] = [],
): Difference[] {
  const unmatched = new Map<string, Compared[]>();
  for (const session of gateway.map(compared)) {
    const key = JSON.stringify(session);
    unmatched.set(key, [...(unmatched.get(key) ?? []), session]);
  }
  const here = talkjs.map(compared).filter((session) => !unmatched.get(JSON.stringify(session))?.pop());
  const there = [...unmatched.values()].flat();
  return Array.from({ length: Math.max(here.length, there.length) }, (_, i) => {
    const [a, b] = [here[i], there[i]];
    if (!a || !b) return [{ userId, field: list, talkjs: a ?? null, gateway: b ?? null }];
    return FIELDS.filter((field) => JSON.stringify(a[field]) !== JSON.stringify(b[field])).map((field) => ({
      userId,
      field: `${list}.${field}`,
      talkjs: a[field],
      gateway: b[field],
    }));
  }).flat();
}

function compared(session: Partial<PresenceSession>): Compared {
  const { selectedConversationId = null, hasFocus = false, isTyping = false, custom = {} } = session;
  const inOrder = Object.entries(custom).sort(([a], [b]) => (a < b ? -1 : 1));
  return { selectedConversationId, hasFocus, isTyping, custom: Object.fromEntries(inOrder) };
}
