import { expect, it, vi } from "vitest";
import { CompiledFilter } from "../../../src/core/views/compiled-filter.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";
import { Webhook } from "../../../src/server/webhooks/webhook.ts";
import { until } from "../../support/until.ts";
import { HOOK, OK, Stage } from "./stage.ts";

function setUp() {
  const stage = new Stage();
  const filter = new CompiledFilter(FilterSchema.parse({}));
  const counts = { deliveries: 0, failures: 0 };
  const wakeBy = vi.fn();
  const webhook = new Webhook(HOOK, stage.presence, filter, counts, stage.dependencies, wakeBy);
  return { stage, webhook, wakeBy };
}

it("subscribes while it is active, and not otherwise", () => {
  const { stage, webhook } = setUp();
  expect([stage.presence.subscriptions, webhook.nextDueAt()]).toEqual([0, Number.POSITIVE_INFINITY]);
  webhook.activate(stage.now);
  expect([stage.presence.subscriptions, stage.presence.views]).toEqual([1, 1]);
  webhook.deactivate(stage.now);
  expect([stage.presence.subscriptions, stage.presence.views]).toEqual([0, 0]);
  expect(webhook.nextDueAt()).toBe(Number.POSITIVE_INFINITY);
});

it("sends signed messages one at a time, and is woken for the next", async () => {
  const { stage, webhook, wakeBy } = setUp();
  webhook.activate(stage.now);
  expect(wakeBy).toHaveBeenCalled();
  webhook.run(stage.now);
  stage.enter("alice");
  webhook.run(stage.now);
  expect(stage.sent).toHaveLength(1);
  expect(Object.keys(stage.last.request.headers)).toEqual([
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
  ]);
  expect(stage.last.message).toMatchObject({
    type: "presence.snapshot",
    timestamp: "2023-11-14T22:13:21.000Z",
    data: { appId: "app", webhookId: "hook" },
  });
  wakeBy.mockClear();
  await stage.last.answer(OK);
  expect(wakeBy).toHaveBeenCalledOnce();
  webhook.run(stage.now);
  expect(stage.last.message.type).toBe("presence.diff");
  expect(webhook.status(stage.now)).toMatchObject({ deliveries: 1, failures: 0, delivering: true });
});

it("logs that it fails, and that it is delivered again, without address and answer", async () => {
  const { stage, webhook } = setUp();
  webhook.activate(stage.now);
  webhook.run(stage.now);
  await stage.last.answer({ kind: "answered", status: 500, body: "hidden" });
  stage.now += 1_000;
  expect(webhook.status(stage.now)).toMatchObject({ failures: 1, secondsBehind: 1 });
  webhook.run(stage.now);
  await stage.last.answer({ kind: "unanswered", reason: "timeout" });
  stage.now += 2_000;
  webhook.run(stage.now);
  await stage.last.answer(OK);
  expect(stage.sent.map(({ request }) => request.headers["webhook-timestamp"])).toEqual([
    "1700000001",
    "1700000002",
    "1700000004",
  ]);
  expect(stage.log).toEqual([
    'a webhook was not delivered: it is tried again {"app":"app","webhook":"hook","reason":"status 500"}',
    'a webhook is delivered again {"app":"app","webhook":"hook","failures":2}',
  ]);
  expect(webhook.status(stage.now)).toMatchObject({ deliveries: 1, failures: 2, secondsBehind: 0 });
});

it("is off after a 410, until it is activated again, with a snapshot", async () => {
  const { stage, webhook } = setUp();
  webhook.activate(stage.now);
  webhook.run(stage.now);
  await stage.last.answer({ kind: "answered", status: 410, body: "" });
  stage.enter("alice");
  expect([webhook.nextDueAt(), stage.presence.subscriptions]).toEqual([Number.POSITIVE_INFINITY, 0]);
  expect(webhook.status(stage.now)).toMatchObject({ off: true, delivering: false, secondsBehind: 0 });
  webhook.activate(stage.now);
  webhook.run(stage.now);
  expect(stage.last.message).toMatchObject({ type: "presence.snapshot", data: { users: { alice: {} } } });
});

it("takes no notice of the answer to an attempt that it has ended", async () => {
  const { stage, webhook } = setUp();
  webhook.activate(stage.now);
  webhook.run(stage.now);
  const [first] = stage.sent;
  webhook.activate(stage.now);
  expect(first!.isAborted).toBe(true);
  webhook.run(stage.now);
  await first!.answer({ kind: "answered", status: 410, body: "" });
  expect(webhook.status(stage.now)).toMatchObject({ off: false, failures: 0 });
  expect(stage.sent).toHaveLength(2);
});

it("sends all once more after an attempt that it has ended may have arrived", async () => {
  const { stage, webhook } = setUp();
  webhook.activate(stage.now);
  webhook.run(stage.now);
  webhook.activate(stage.now);
  webhook.run(stage.now);
  await stage.last.answer(OK);
  expect(webhook.nextDueAt()).toBe(stage.now + 11_000);
  stage.now += 11_000;
  webhook.run(stage.now);
  await stage.last.answer(OK);
  expect(stage.sent.map(({ message }) => message.type)).toEqual(Array(3).fill("presence.snapshot"));
  expect(webhook.nextDueAt()).toBe(Number.POSITIVE_INFINITY);
});

it("begins again with a snapshot when a defect shows in what it does with an answer", async () => {
  const { stage, webhook } = setUp();
  webhook.activate(stage.now);
  webhook.run(stage.now);
  vi.spyOn(stage.dependencies.log, "warn").mockImplementationOnce(() => {
    throw new Error("a defect");
  });
  await stage.last.answer({ kind: "answered", status: 500, body: "" });
  expect(stage.crashes).toHaveLength(1);
  stage.now += 1_000;
  webhook.run(stage.now);
  expect(stage.last.message.type).toBe("presence.snapshot");
  await stage.last.answer(OK);
  expect(webhook.status(stage.now)).toMatchObject({ deliveries: 1, secondsBehind: 0 });
});

it("begins again with a snapshot after its view has failed, or cannot be created", async () => {
  const { stage, webhook } = setUp();
  webhook.activate(stage.now);
  webhook.run(stage.now);
  await stage.last.answer(OK);
  webhook.fail(new Error("a defect"));
  expect([stage.crashes.length, stage.presence.subscriptions]).toEqual([1, 0]);
  expect(webhook.nextDueAt()).toBe(stage.now + 1_000);
  const broken = vi.spyOn(stage.presence.liveViews, "channel").mockImplementation(() => {
    throw new Error("another defect");
  });
  stage.now += 1_000;
  webhook.run(stage.now);
  expect([stage.crashes.length, webhook.nextDueAt()]).toEqual([2, stage.now + 1_000]);
  broken.mockRestore();
  stage.now += 1_000;
  webhook.run(stage.now);
  expect(stage.sent).toHaveLength(2);
  expect(stage.last.message.type).toBe("presence.snapshot");
});

it("waits until a large view has all of its members", async () => {
  const { stage, webhook, wakeBy } = setUp();
  stage.presence.transact(stage.now, (sessions) => {
    for (let i = 0; i < 2_500; i++) sessions.open(`user${i}`, "widget", {}, { onSessionTaken: () => {} });
  });
  webhook.activate(stage.now);
  expect(wakeBy).not.toHaveBeenCalled();
  webhook.run(stage.now);
  expect(stage.sent).toEqual([]);
  await until(() => wakeBy.mock.calls.length > 0);
  const users = new Set<string>();
  for (let more = true; more; ) {
    webhook.run(stage.now);
    const { message } = stage.last;
    if (message.type !== "presence.snapshot") return expect.fail(message.type);
    for (const userId of Object.keys(message.data.users)) users.add(userId);
    more = message.data.more;
    await stage.last.answer(OK);
  }
  expect(users.size).toBe(2_500);
  expect(stage.sent.length).toBeGreaterThan(1);
});
