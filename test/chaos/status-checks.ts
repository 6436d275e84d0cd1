import type { ChaosOracle } from "./oracle.ts";
import type { Result } from "./result.ts";
import { isSaid, type SaidStatus } from "./status-oracle.ts";
import type { StatusUsers } from "./status-users.ts";

/** A node that is asked at a quiet point. */
export interface AskedPlace {
  readonly name: string;
  readonly oracle: ChaosOracle;
  /** Asks for a path below the app. */
  get(path: string): Promise<{ readonly text: string }>;
}

/**
 * Nothing changes any more: all nodes say the same about each user, it is the last thing that was declared,
 * and it is what the result of a query for all users shows. Resolves with the invisible users.
 */
export async function checkStatuses(
  places: readonly AskedPlace[],
  { userIds, oracle }: StatusUsers,
  result: Result,
): Promise<ReadonlySet<string>> {
  const hidden = new Set<string>();
  for (const userId of userIds) {
    const path = `/users/${encodeURIComponent(userId)}/status`;
    const answers = await Promise.all(places.map(({ get }) => get(path)));
    const [first] = answers.map(({ text }) => text);
    for (const [i, place] of places.entries()) {
      const { text } = answers[i]!;
      if (text !== first)
        place.oracle.violated("I4", Date.now(), userId, `${place.name}: status ${text}, elsewhere ${first}`);
    }
    const at = Date.now();
    const status = JSON.parse(first!).data as SaidStatus;
    const violated = (what: string) => places[0]!.oracle.violated("I4", at, userId, what);
    const allowed = oracle.allowed(userId, at);
    if (!allowed.some((each) => isSaid(each, status)))
      violated(`its status is ${first}, the last one was ${JSON.stringify(allowed)}`);
    oracle.agreed(userId, status, at);
    if (status.availability === "invisible") hidden.add(userId);
    const value = Object.hasOwn(result, userId) ? (result[userId] as unknown as Shown) : undefined;
    if (value !== undefined && !isShown(value, status))
      violated(`is seen as ${JSON.stringify(value)}, its status is ${first}`);
  }
  return hidden;
}

interface Shown {
  readonly status: string;
  readonly statusText?: string;
  readonly statusEmoji?: string;
}

/** Whether a value shows this status. Nobody of those who are asked about is idle at a quiet point. */
function isShown(value: Shown, { availability, text, emoji }: SaidStatus): boolean {
  const effective = availability === "available" ? "online" : availability;
  return value.status === effective && value.statusText === text && value.statusEmoji === emoji;
}
