import { firstIds, toPhrase } from "../presence-rows.ts";
import type { Outcome, WebhookCopy } from "./webhook-copy.ts";
import type { WebhookMessage } from "./webhook-message.ts";

/** Lines about users for one message. The rest is counted. */
const MOST_LINES = 20;

/** Says in plain words what a message brought, one line each. */
export function describeOutcome(
  { data }: WebhookMessage,
  outcome: Outcome,
  { users }: Pick<WebhookCopy, "users">,
): string[] {
  const be = (userId: string, verb: string) => `${userId} ${verb}: ${toPhrase(users.get(userId)!)}`;
  switch (outcome.kind) {
    case "repeated":
      return ["a message came again, nothing to do"];
    case "misfit":
      return [`${outcome.why}: asking for a snapshot`];
    case "page":
      return [`page ${outcome.page} of a snapshot, ${count(outcome.users)} on it, more to come`];
    case "counted":
      return [`${count(data.users as number)} in the count`];
    case "replaced": {
      const first = firstIds(users, MOST_LINES).map((userId) => be(userId, "is there"));
      return [`a snapshot, ${count(users.size)}`, ...withRest(first, users.size)];
    }
    case "changed": {
      const { entered, updated, left } = outcome;
      const causes = ("causes" in data && data.causes) || {};
      const total = entered.length + updated.length + left.length;
      const lines = [
        ...left.map(
          (userId) => `${userId} left: ${Object.hasOwn(causes, userId) ? causes[userId] : "unknown"}`,
        ),
        ...entered.map((userId) => be(userId, "entered")),
        ...updated.map((userId) => be(userId, "changed")),
      ];
      return total === 0
        ? ["a diff that changes nobody in the copy"]
        : withRest(lines.slice(0, MOST_LINES), total);
    }
  }
}

function withRest(lines: string[], total: number): string[] {
  const rest = total - lines.length;
  return rest > 0 ? [...lines, `and ${rest} more`] : lines;
}

function count(users: number): string {
  return users === 1 ? "1 user" : `${users} users`;
}
