import { setImmediate } from "node:timers/promises";
import { expect, it } from "vitest";
import { NEW_SESSION } from "../../../src/core/sessions/session.ts";
import { Table } from "../../../src/core/sessions/table.ts";
import { CompiledFilter } from "../../../src/core/views/compiled-filter.ts";
import { IDLE_VIEW_MS } from "../../../src/core/views/view-registry.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";
import { Frame } from "../../../src/server/gateway/frame.ts";
import { LiveViews } from "../../../src/server/gateway/live-views.ts";
import { SendQueue } from "../../../src/server/gateway/send-queue.ts";
import { SubscriptionCharges } from "../../../src/server/gateway/subscription-charges.ts";
import { endlessTurn, TEST_OWNER, testPageTurns, testTelemetry } from "../../support/stubs.ts";

const compile = (filter: unknown) => new CompiledFilter(FilterSchema.parse(filter));
const ENCODER = { snapshot: () => new Frame("{}"), diff: (frame: Frame) => frame };

function setUp() {
  const table = new Table();
  let names = 0;
  const liveViews = new LiveViews({
    table,
    limits: { diffIntervalMs: 50 },
    telemetry: testTelemetry(),
    makeId: () => `view${names++}`,
    clock: { now: () => 0, wallNow: () => 0 },
    wakeBy: () => {},
    flushTurn: endlessTurn(),
  });
  const sink = { buffered: 0, progress: 0, send: () => true };
  const sendQueue = new SendQueue(sink, 1_000_000, TEST_OWNER, testPageTurns());
  const reader = { sendQueue, encoder: ENCODER, owner: TEST_OWNER };
  const chargesUpTo = (maxBytes: number) =>
    new SubscriptionCharges(
      { maxBytes, maxFilters: 10 },
      (key) => liveViews.views.dropIdle(key),
      (key) => liveViews.views.bytesOfKey(key),
    );
  return { table, liveViews, reader, chargesUpTo };
}

it("subscribers of one filter share a view, which is kept for a while after the last has left", () => {
  const { liveViews, reader } = setUp();
  const [one, other] = [liveViews.attach(compile({}), reader)!, liveViews.attach(compile({}), reader)!];
  expect(one.channel).toBe(other.channel);
  expect(liveViews.debugCounts()).toMatchObject({ views: 1, channels: 1, subscriptions: 2 });
  for (const each of [one, other]) liveViews.detach(each, 0);
  expect(liveViews.debugCounts()).toMatchObject({ views: 1, idle: 1, channels: 0, subscriptions: 0 });
  liveViews.views.expireIdle(IDLE_VIEW_MS);
  expect(Object.values(liveViews.debugCounts()).every((count) => count === 0)).toBe(true);
});

it("a user without room for a view gets none, and nothing of it is left", () => {
  const { table, liveViews, reader, chargesUpTo } = setUp();
  for (let i = 0; i < 500; i++) table.open(`s${i}`, `u${i}`, "widget", NEW_SESSION, undefined);
  const charges = chargesUpTo(10_000);
  expect(liveViews.attach(compile({}), { ...reader, charges })).toBeUndefined();
  expect(Object.values(liveViews.debugCounts()).every((count) => count === 0)).toBe(true);
  expect(charges.isEmpty).toBe(true);
  // Others have the view already: joining it costs the user as much.
  expect(liveViews.attach(compile({}), reader)).toBeDefined();
  expect(liveViews.attach(compile({}), { ...reader, charges })).toBeUndefined();
  expect(liveViews.subscriptions).toBe(1);
});

it("a large view is hydrated a little in each turn of the event loop", async () => {
  const { table, liveViews, reader } = setUp();
  for (let i = 0; i < 5_000; i++) table.open(`s${i}`, `u${i}`, "widget", NEW_SESSION, undefined);
  const { view } = liveViews.attach(compile({}), reader)!.channel;
  expect(view.isHydrating).toBe(true);
  let turns = 0;
  for (; view.isHydrating; turns++) await setImmediate();
  expect(turns).toBeGreaterThan(2);
  expect(view.size).toBe(5_000);
});
