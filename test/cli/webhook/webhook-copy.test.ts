import { expect, test } from "vitest";
import { WebhookCopy } from "../../../src/cli/webhook/webhook-copy.ts";
import type { WebhookMessage } from "../../../src/cli/webhook/webhook-message.ts";
import { Random } from "../../support/random.ts";
import { runs, SEED } from "../../support/seed.ts";
import { presentIn } from "../../support/webhook-sender.ts";

const source = { appId: "shop", webhookId: "copy" };
const here = presentIn("c1");
type Users = Record<string, typeof here>;

const snapshot = (version: number, users: Users, page = 1, more = false, view = "v"): WebhookMessage => ({
  type: "presence.snapshot",
  data: { ...source, view, version, users, page, more },
});
const diff = (from: number, users: Record<string, typeof here | null>, view = "v"): WebhookMessage => ({
  type: "presence.diff",
  data: { ...source, view, from, version: from + 1, users, causes: {} },
});

function copyWith(...messages: WebhookMessage[]): WebhookCopy {
  const copy = new WebhookCopy();
  for (const [i, message] of messages.entries()) copy.apply(`first-${i}`, message);
  return copy;
}
const ids = (copy: WebhookCopy) => [...copy.users.keys()];

test("is what snapshot and diffs say", () => {
  const copy = copyWith(snapshot(7, { alice: here, bob: here }));
  const outcome = copy.apply("1", diff(7, { bob: null, carol: here, alice: presentIn("c2"), dave: null }));
  expect(outcome).toEqual({ kind: "changed", entered: ["carol"], updated: ["alice"], left: ["bob"] });
  expect(ids(copy)).toEqual(["alice", "carol"]);
  expect(copy.users.get("alice")).toEqual(presentIn("c2"));
});

test("takes a repetition once", () => {
  const copy = copyWith(snapshot(1, { alice: here }));
  copy.apply("a", diff(1, { bob: here }));
  copy.apply("b", diff(2, { bob: null }));
  expect(copy.apply("a", diff(1, { bob: here }))).toEqual({ kind: "repeated" });
  expect(copy.apply("first-0", snapshot(1, { alice: here }))).toEqual({ kind: "repeated" });
  expect(ids(copy)).toEqual(["alice"]);
});

test.each([
  ["before any snapshot", new WebhookCopy(), diff(1, {})],
  ["from another version", copyWith(snapshot(3, {})), diff(2, {})],
  ["of another view", copyWith(snapshot(3, {})), diff(3, {}, "w")],
  ["that is a page too many", copyWith(snapshot(3, {}, 1, true)), snapshot(3, {}, 3)],
  ["that is a page of another snapshot", copyWith(snapshot(3, {}, 1, true)), snapshot(4, {}, 2)],
  ["that is a page of another view", copyWith(snapshot(3, {}, 1, true)), snapshot(3, {}, 2, false, "w")],
  ["that is a page after the end", copyWith(snapshot(3, {})), snapshot(3, {}, 2)],
  ["that is page 0", copyWith(snapshot(3, {})), snapshot(3, {}, 0)],
])("a message %s does not fit, and changes nothing, also when it is repeated", (_name, copy, message) => {
  const before = [...copy.users];
  for (let i = 0; i < 2; i++) expect(copy.apply("id", message)).toMatchObject({ kind: "misfit" });
  expect([...copy.users]).toEqual(before);
});

test("is replaced when the last page has come, and not before", () => {
  const copy = copyWith(snapshot(1, { alice: here }));
  expect(copy.apply("1", snapshot(5, { bob: here }, 1, true))).toEqual({ kind: "page", page: 1, users: 1 });
  expect(ids(copy)).toEqual(["alice"]);
  expect(copy.apply("2", snapshot(5, { carol: here }, 2))).toEqual({ kind: "replaced" });
  expect(ids(copy)).toEqual(["bob", "carol"]);
});

test("pages begin again at 1 when another snapshot comes between them", () => {
  const copy = copyWith(snapshot(5, { bob: here }, 1, true), snapshot(6, { carol: here }, 1, true));
  copy.apply("3", snapshot(6, { dave: here }, 2));
  expect(ids(copy)).toEqual(["carol", "dave"]);
});

test("remembers the ids of the last messages, and no more", () => {
  const copy = copyWith(snapshot(0, {}));
  for (let i = 0; i < 150; i++) copy.apply(`id-${i}`, diff(i, {}));
  expect(copy.apply("id-149", diff(149, {}))).toEqual({ kind: "repeated" });
  // A message as old as this one does not fit any more.
  expect(copy.apply("id-0", diff(0, {}))).toMatchObject({ kind: "misfit" });
});

test("a count changes nobody", () => {
  const copy = copyWith(snapshot(1, { alice: here }));
  const count: WebhookMessage = { type: "presence.count", data: { ...source, users: 9 } };
  expect(copy.apply("1", count)).toEqual({ kind: "counted" });
  expect(ids(copy)).toEqual(["alice"]);
});

test("equals the sender's users whenever a message was taken, whatever is repeated or forgotten", () => {
  const random = new Random(SEED);
  for (let run = 0; run < runs(90); run++) {
    let copy = new WebhookCopy();
    const truth = new Map<string, typeof here>();
    let version = 0;
    let sent: [string, WebhookMessage][] = [];
    for (let step = 0; step < 30; step++) {
      const userId = `user-${random.below(5)}`;
      const value = random.oneIn(2) ? presentIn(`c${random.below(3)}`) : null;
      if (value) truth.set(userId, value);
      else truth.delete(userId);
      const message: [string, WebhookMessage] = [`${run}-${step}`, diff(version++, { [userId]: value })];
      // The receiver has lost everything.
      if (random.oneIn(8)) [copy, sent] = [new WebhookCopy(), []];
      // A late repetition of any message changes nothing.
      if (sent.length > 0 && random.oneIn(3)) copy.apply(...random.pick(sent));
      sent.push(message);
      if (copy.apply(...message).kind === "misfit") {
        const whole: [string, WebhookMessage] = [
          `${run}-${step}-s`,
          snapshot(version, Object.fromEntries(truth)),
        ];
        sent.push(whole);
        copy.apply(...whole);
      }
      expect(new Map(copy.users)).toEqual(truth);
    }
  }
});
