import { setImmediate } from "node:timers/promises";
import { expect, it } from "vitest";
import { NEW_SESSION, patchState } from "../../../src/core/sessions/session.ts";
import { Table } from "../../../src/core/sessions/table.ts";
import { CompiledFilter } from "../../../src/core/views/compiled-filter.ts";
import type { View } from "../../../src/core/views/view.ts";
import { ViewRegistry } from "../../../src/core/views/view-registry.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";
import { FAILED_FLUSH_REST_MS } from "../../../src/server/gateway/gateway-config.ts";
import { deliveryCostMs, TurnBudget, WRITE_MS } from "../../../src/server/gateway/turn-budget.ts";
import { type Subscriber, ViewChannel } from "../../../src/server/gateway/view-channel.ts";
import { ViewFlusher } from "../../../src/server/gateway/view-flusher.ts";
import { endlessTurn, testTelemetry } from "../../support/stubs.ts";

const INTERVAL_MS = 50;

function setUp(flushTurn = endlessTurn(), diffIntervalMs = INTERVAL_MS) {
  const table = new Table();
  let names = 0;
  const views = new ViewRegistry(table, diffIntervalMs, () => `view${names++}`);
  const channels = new Map<View, ViewChannel>();
  const crashes: unknown[] = [];
  const telemetry = testTelemetry((error) => void crashes.push(error));
  const clock = { now: () => 0, wallNow: () => 0 };
  const limits = { diffIntervalMs };
  const flusher = new ViewFlusher({ views, channels, limits, telemetry, clock, wakeBy: () => {}, flushTurn });
  const watch = (filter: unknown, subscribers = 1) => {
    const view = views.acquire(new CompiledFilter(FilterSchema.parse(filter)));
    const channel = new ViewChannel(view, telemetry);
    channels.set(view, channel);
    const versions: number[] = [];
    for (let i = 0; i < subscribers; i++) {
      channel.add({
        payer: undefined,
        deliver: (_frame, version) => void versions.push(version),
        end: () => [],
        fail: (error) => expect.fail(String(error)),
      });
    }
    return { view, versions };
  };
  table.open("s", "alice", "widget", NEW_SESSION, undefined);
  const toggle = (now: number) => {
    const session = table.get("s")!;
    views.markDirty(table.update(session, patchState(session, { isTyping: !session.isTyping }))!, now);
    flusher.flush(now);
  };
  return { flusher, views, channels, watch, toggle, crashes };
}

it("flushes a quiet view at once, and what follows at the end of its rest", () => {
  const { flusher, watch, toggle } = setUp();
  const { versions } = watch({});
  toggle(0);
  expect(versions).toEqual([2]);
  for (let now = 1; now < INTERVAL_MS; now += 2) toggle(now);
  expect(versions).toEqual([2]);
  flusher.flush(INTERVAL_MS);
  expect(versions).toEqual([2, 3]);
});

it("sends every change at once where the interval is 0, unless a view would take more than half the time", () => {
  const { watch, toggle } = setUp(endlessTurn(), 0);
  const small = watch({ userIds: ["alice"] });
  const large = watch({}, 1_000);
  const changes = 1_000;
  for (let now = 0; now < changes; now++) toggle(now);
  expect(small.versions.length).toBe(changes);
  const flushMs = 1_000 * (deliveryCostMs(0) + WRITE_MS);
  const diffs = large.versions.length / 1_000;
  expect(diffs).toBeGreaterThan(1);
  expect(diffs * flushMs).toBeLessThanOrEqual(changes / 2 + flushMs);
});

it("has the last user who leaves during a delivery pay for it", () => {
  const { views, channels, watch, toggle } = setUp();
  const { view } = watch({}, 0);
  const alice = { flushFreeAt: 0, onIdle() {}, onIdleEnd() {} };
  const only: Subscriber = {
    payer: alice,
    deliver() {
      channels.get(view)!.remove(only);
      channels.delete(view);
      views.release(view, 0, alice);
    },
    end: () => [],
    fail: (error) => expect.fail(String(error)),
  };
  channels.get(view)!.add(only);
  toggle(0);
  expect(channels.size).toBe(0);
  expect(alice.flushFreeAt).toBeGreaterThan(0);
});

it("delivers to many subscribers over several turns, each diff once", async () => {
  const { flusher, watch, toggle } = setUp(new TurnBudget((error) => expect.fail(String(error))));
  const subscribers = 15_000;
  const { versions } = watch({}, subscribers);
  toggle(0);
  expect(versions.length).toBeLessThan(subscribers);
  expect(flusher.publishing).toBe(1);
  let turns = 0;
  for (; flusher.publishing > 0; turns++) await setImmediate();
  expect(turns).toBeGreaterThan(2);
  expect(versions).toEqual(Array(subscribers).fill(2));
});

it("serves other views where one cannot be flushed, and tries that one again later", () => {
  const { flusher, watch, toggle, crashes } = setUp();
  const [bad, good] = [watch({ userIds: ["alice"] }), watch({})];
  const { view } = bad;
  const flush = view.flush.bind(view);
  view.flush = () => {
    throw new Error("a defect");
  };
  toggle(0);
  expect([bad.versions, good.versions, crashes.length]).toEqual([[], [2], 1]);
  view.flush = flush;
  flusher.flush(FAILED_FLUSH_REST_MS - 1);
  expect(bad.versions).toEqual([]);
  // At the next tick.
  flusher.flush(FAILED_FLUSH_REST_MS + INTERVAL_MS);
  expect(bad.versions).toEqual([2]);
});
