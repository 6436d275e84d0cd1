import { getHeapStatistics } from "node:v8";
import { afterEach, expect, it, vi } from "vitest";
import type { WebhookMessage } from "../../../src/protocol/webhook-message.ts";
import type { WebhookConfig } from "../../../src/server/auth/webhook-config.ts";
import { createCollector } from "../../../src/server/internals/force-collection.ts";
import { Webhooks } from "../../../src/server/webhooks/webhooks.ts";
import { WebhookCopy } from "../../support/webhook-receiver.ts";
import { HOOK, OK, Stage } from "./stage.ts";
import { microtasks } from "./world.ts";

const made: Webhooks[] = [];
afterEach(() => {
  for (const webhooks of made.splice(0)) webhooks.stop();
});

function setUp(configs: readonly WebhookConfig[], { delivers = true } = {}) {
  const stage = new Stage();
  const leader: { term: number | undefined; rivalUntil: number } = {
    term: delivers ? 1 : undefined,
    rivalUntil: Number.NEGATIVE_INFINITY,
  };
  const webhooks = new Webhooks({
    ...stage.dependencies,
    termOf: () => leader.term,
    rivalUntil: () => leader.rivalUntil,
  });
  made.push(webhooks);
  webhooks.apply(stage.presence, configs);
  const run = () => webhooks.run(stage.now);
  run();
  return { stage, leader, webhooks, run };
}

const idsOf = ({ sent }: Stage) =>
  sent.map(({ message: { type, data } }) => `${data.webhookId} ${type.replace("presence.", "")}`);

/** The first attempt of a webhook. */
const sentBy = ({ sent }: Stage, id: string) => sent.find(({ message }) => message.data.webhookId === id)!;

it("without webhooks there is no timer", () => {
  const timers = vi.spyOn(globalThis, "setTimeout");
  const { webhooks, stage } = setUp([]);
  expect(timers).not.toHaveBeenCalled();
  expect([webhooks.statuses("app"), [...webhooks.appIds()]]).toEqual([[], []]);
  webhooks.apply(stage.presence, [HOOK]);
  expect(timers).toHaveBeenCalled();
  timers.mockRestore();
});

it("webhooks are active while this node is the one that delivers, and begin with a snapshot each time", async () => {
  const { stage, leader, webhooks, run } = setUp([HOOK], { delivers: false });
  expect(stage.sent).toEqual([]);
  leader.term = 1;
  run();
  await stage.last.answer(OK);
  stage.enter("alice");
  run();
  leader.term = undefined;
  run();
  expect(stage.last.isAborted).toBe(true);
  expect(webhooks.statuses("app")).toMatchObject([{ delivering: false, deliveries: 1 }]);
  stage.now += 60_000;
  run();
  leader.term = 2;
  run();
  // It was the one that delivers again before anybody looked.
  leader.term = 3;
  run();
  expect(idsOf(stage)).toEqual(["hook snapshot", "hook diff", "hook snapshot", "hook snapshot"]);
});

it("webhooks send all once more when the node that delivered before may have done its last attempt", async () => {
  const { stage, leader, webhooks, run } = setUp([HOOK], { delivers: false });
  leader.rivalUntil = stage.now + 5_000;
  leader.term = 1;
  run();
  await stage.last.answer(OK);
  stage.now += 15_999;
  run();
  expect(stage.sent).toHaveLength(1);
  stage.now++;
  run();
  await stage.last.answer(OK);
  // A node that was cut off is back.
  leader.rivalUntil = stage.now;
  run();
  // One that is new shares its receiver with what that node delivers.
  webhooks.apply(stage.presence, [HOOK, { ...HOOK, id: "new" }]);
  run();
  await stage.last.answer(OK);
  stage.now += 11_000;
  run();
  const all = ["hook snapshot", "hook snapshot", "new snapshot", "hook snapshot", "new snapshot"];
  expect(idsOf(stage).sort()).toEqual(all.sort());
});

it("a webhook that is changed while it sends may be overtaken, so it sends all once more", async () => {
  const { stage, webhooks, run } = setUp([HOOK]);
  webhooks.apply(stage.presence, [{ ...HOOK, intervalMs: 100 }]);
  run();
  await stage.last.answer(OK);
  stage.now += 11_000;
  run();
  expect(idsOf(stage)).toEqual(["hook snapshot", "hook snapshot", "hook snapshot"]);
});

it("one that answers 410 is tried again by a node that takes over", async () => {
  const { stage, leader, webhooks, run } = setUp([HOOK]);
  await stage.last.answer({ kind: "answered", status: 410, body: "" });
  run();
  expect(webhooks.statuses("app")).toMatchObject([{ off: true }]);
  leader.term = 2;
  run();
  expect(idsOf(stage)).toEqual(["hook snapshot", "hook snapshot"]);
});

it("a reload begins with those that are new, have changed or were off, and leaves the others alone", async () => {
  const second = { ...HOOK, id: "second", secrets: [...HOOK.secrets, `whsec_${"A".repeat(32)}`] };
  const off = { ...HOOK, id: "off" };
  const { stage, webhooks, run } = setUp([HOOK, second, off]);
  await sentBy(stage, "hook").answer(OK);
  await sentBy(stage, "off").answer({ kind: "answered", status: 410, body: "" });
  const changed = { ...HOOK, intervalMs: 100 };
  const same = { ...second, secrets: [...second.secrets].reverse() };
  webhooks.apply(stage.presence, [{ ...HOOK, id: "new" }, same, off, changed]);
  run();
  expect(idsOf(stage).slice(3).sort()).toEqual(["hook snapshot", "new snapshot", "off snapshot"]);
  expect(sentBy(stage, "second").isAborted).toBe(false);
  // Counts outlive a change.
  expect(webhooks.statuses("app").map(({ id, deliveries }) => [id, deliveries])).toEqual([
    ["new", 0],
    ["second", 0],
    ["off", 0],
    ["hook", 1],
  ]);
});

it("receivers that are down for an hour leave memory as it is, while 10,000 users come and go", async () => {
  const stage = new Stage();
  const copies = { hook: new WebhookCopy(), count: new WebhookCopy() };
  let isDown = true;
  const webhooks = new Webhooks({
    ...stage.dependencies,
    termOf: () => 1,
    rivalUntil: () => Number.NEGATIVE_INFINITY,
    send: ({ body }) => {
      const message: WebhookMessage = JSON.parse(body.toString());
      if (!isDown) copies[message.data.webhookId as keyof typeof copies].apply(message);
      return { result: Promise.resolve(isDown ? { ...OK, status: 503 } : OK), abort: () => {} };
    },
  });
  made.push(webhooks);
  webhooks.apply(stage.presence, [HOOK, { ...HOOK, id: "count", count: true }]);
  const collect = createCollector();
  const { table } = stage.presence;
  const flip = (userIds: readonly string[]) =>
    stage.presence.transact(stage.now, (sessions) => {
      for (const userId of userIds) {
        const [session] = table.user(userId)?.sessions ?? [];
        if (session === undefined) sessions.open(userId, "widget", {}, { onSessionTaken: () => {} });
        else sessions.end(session, "closed");
      }
    });
  const pass = async () => {
    webhooks.run(stage.now);
    await microtasks();
    if (stage.presence.nextDueAt() <= stage.now) stage.presence.run(stage.now);
  };
  const users = Array.from({ length: 10_000 }, (_, i) => `user${i}`);
  const heap: number[] = [];
  for (let minute = 0; minute <= 80; minute++) {
    const from = (minute % 10) * 1_000;
    const guests = Array.from({ length: 100 }, (_, i) => `guest ${minute} ${i}`);
    for (const some of [guests, users.slice(from, from + 1_000), guests]) {
      flip(some);
      stage.now += 20_000;
      await pass();
    }
    expect(webhooks.keptUsers).toBeLessThanOrEqual(users.length);
    // After 20 minutes everybody has come and gone. An hour later, the same users are there.
    if (minute !== 20 && minute !== 80) continue;
    collect();
    heap.push(getHeapStatistics().used_heap_size);
  }
  // There were 72,000 changes.
  expect(heap[1]! - heap[0]!).toBeLessThan(500_000);
  isDown = false;
  for (let i = 0; i < 200; i++) {
    stage.now += 1_000;
    await pass();
  }
  expect([...copies.hook.users.keys()].sort()).toEqual(
    [...table.all()].map(({ user }) => user.userId).sort(),
  );
  expect(copies.count.count).toBe(copies.hook.users.size);
});

it("a configuration that cannot be used changes nothing", () => {
  const { stage, webhooks } = setUp([HOOK]);
  const bad = { ...HOOK, filter: { custom: { page: "x" } } } as unknown as WebhookConfig;
  expect(() => webhooks.apply(stage.presence, [bad])).toThrow(RangeError);
  expect(() => webhooks.apply(stage.presence, [{ ...HOOK, secrets: ["whsec_x"] }])).toThrow(RangeError);
  expect(webhooks.statuses("app")).toMatchObject([{ id: "hook", delivering: true }]);
  expect(stage.last.isAborted).toBe(false);
});

it("webhooks of one filter share a view, and nothing is left of an app that is removed", () => {
  const { stage, webhooks } = setUp([HOOK, { ...HOOK, id: "second" }, { ...HOOK, id: "third", count: true }]);
  expect([stage.presence.subscriptions, stage.presence.views]).toEqual([3, 2]);
  webhooks.remove("app");
  expect([stage.presence.subscriptions, stage.presence.views, webhooks.keptUsers]).toEqual([0, 0, 0]);
  expect(stage.sent.every(({ isAborted }) => isAborted)).toBe(true);
});

it("a defect in the end of a term keeps no webhook from the next one", async () => {
  const { stage, leader, run } = setUp([HOOK, { ...HOOK, id: "second" }]);
  leader.term = 2;
  vi.spyOn(stage.presence.liveViews, "leave").mockImplementationOnce(() => {
    throw new Error("a defect");
  });
  run();
  expect([stage.crashes.length, idsOf(stage).slice(2).sort()]).toEqual([
    1,
    ["hook snapshot", "second snapshot"],
  ]);
});

it("a defect in one webhook leaves the others alone, and its message is tried again", () => {
  const stage = new Stage();
  const { send } = stage.dependencies;
  let attempts = 0;
  const webhooks = new Webhooks({
    ...stage.dependencies,
    termOf: () => 1,
    rivalUntil: () => Number.NEGATIVE_INFINITY,
    send: (request) => {
      if (attempts++ === 0) throw new Error("a defect");
      return send(request);
    },
  });
  made.push(webhooks);
  webhooks.apply(stage.presence, [HOOK, { ...HOOK, id: "second" }]);
  webhooks.run(stage.now);
  expect(stage.crashes).toHaveLength(1);
  stage.now += 1_000;
  webhooks.run(stage.now);
  expect(idsOf(stage).sort()).toEqual(["hook snapshot", "second snapshot"]);
});
