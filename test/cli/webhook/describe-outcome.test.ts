import { expect, test } from "vitest";
import { describeOutcome } from "../../../src/cli/webhook/describe-outcome.ts";
import type { Outcome } from "../../../src/cli/webhook/webhook-copy.ts";
import type { WebhookMessage } from "../../../src/cli/webhook/webhook-message.ts";
import { presentIn } from "../../support/webhook-sender.ts";

const at = { appId: "shop", webhookId: "copy", view: "v", version: 3 };
const diff: WebhookMessage = {
  type: "presence.diff",
  data: { ...at, from: 2, users: {}, causes: { dave: "timeout" } },
};
const users = new Map([
  ["bob", presentIn("c1", true)],
  ["alice", presentIn(null)],
]);
const say = (outcome: Outcome, message: WebhookMessage = diff, copy = { users }) =>
  describeOutcome(message, outcome, copy);

test.each<[Outcome, string[]]>([
  [{ kind: "repeated" }, ["a message came again, nothing to do"]],
  [
    { kind: "misfit", why: "a diff came before any snapshot" },
    ["a diff came before any snapshot: asking for a snapshot"],
  ],
  [{ kind: "page", page: 1, users: 1 }, ["page 1 of a snapshot, 1 user on it, more to come"]],
  [{ kind: "replaced" }, ["a snapshot, 2 users", "alice is there: -", "bob is there: c1, focus"]],
  [
    { kind: "changed", entered: ["alice"], updated: ["bob"], left: ["dave", "constructor"] },
    ["dave left: timeout", "constructor left: unknown", "alice entered: -", "bob changed: c1, focus"],
  ],
  [{ kind: "changed", entered: [], updated: [], left: [] }, ["a diff that changes nobody in the copy"]],
])("%j", (outcome, lines) => {
  expect(say(outcome)).toEqual(lines);
});

test("says how many a count has", () => {
  const message: WebhookMessage = { type: "presence.count", data: { ...at, users: 5 } };
  expect(say({ kind: "counted" }, message)).toEqual(["5 users in the count"]);
});

test("has a bound on its lines, and counts the rest", () => {
  const many = new Map(Array.from({ length: 1_000 }, (_, i) => [`user-${i}`, presentIn("c1")]));
  for (const outcome of [
    { kind: "replaced" },
    { kind: "changed", entered: [...many.keys()], updated: [], left: [] },
  ] as const) {
    const lines = say(outcome, diff, { users: many });
    expect(lines.length).toBeLessThanOrEqual(22);
    expect(lines.at(-1)).toBe("and 980 more");
  }
});
