import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { CompiledFilter } from "../../../src/core/views/compiled-filter.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";
import type { Frame } from "../../../src/server/gateway/frame.ts";
import { REST_PER_COST } from "../../../src/server/gateway/gateway-config.ts";
import {
  deliveryCostMs,
  flushCostMs,
  TURN_MS,
  TurnBudget,
  WRITE_MS,
} from "../../../src/server/gateway/turn-budget.ts";
import type { FlushPayer } from "../../../src/server/gateway/view-channel.ts";
import { readSettings } from "../../../src/server/settings/settings.ts";
import { TestSubscriber, testPresence } from "../../support/presence.ts";
import { endlessTurn } from "../../support/stubs.ts";

const { limits } = readSettings({}, { openFiles: 65_536, readFile: () => "" });
const connection = { onSessionTaken: () => {} };
const compile = (filter: unknown) => new CompiledFilter(FilterSchema.parse(filter));

class Watcher extends TestSubscriber {
  readonly versions: number[] = [];

  override deliver(_frame: Frame, version: number): void {
    this.versions.push(version);
  }
}

function setUp(flushTurn: TurnBudget) {
  const { presence, telemetry, time } = testPresence({ flushTurn });
  const watch = (filter: unknown, watchers: readonly Watcher[]) => {
    const channel = presence.liveViews.channel(compile(filter));
    for (const each of watchers) presence.liveViews.join(channel, each);
    return channel;
  };
  return { presence, telemetry, time, watch };
}

/**
 * Lets a user type and stop for a second of the clock, a millisecond at a time, and returns the diffs of a
 * watcher.
 */
function diffsInOneSecond({ presence, time }: ReturnType<typeof setUp>, watcher: Watcher): number {
  const before = watcher.versions.length;
  const session = presence.transact(time.now, (sessions) => sessions.open("alice", "widget", {}, connection));
  for (let ms = 0; ms < 1_000; ms++) {
    time.now++;
    // With another value each time, so that changes do not cancel each other out.
    const custom = { ms: String(ms) };
    presence.transact(time.now, (sessions) => sessions.update(session, { hasFocus: ms % 2 === 0, custom }));
    if (presence.nextDueAt() <= time.now) presence.run(time.now);
  }
  return watcher.versions.length - before;
}

describe("a view rests", () => {
  it("for the interval where its flushes cost little", () => {
    const world = setUp(endlessTurn());
    const watchers = Array.from({ length: 100 }, () => new Watcher());
    world.watch({}, watchers);
    const diffs = diffsInOneSecond(world, watchers[0]!);
    expect(diffs).toBeGreaterThanOrEqual(1_000 / limits.diffIntervalMs);
    expect(diffs).toBeLessThanOrEqual(1_000 / limits.diffIntervalMs + 2);
  });

  it("in proportion to what its flushes cost where that is more: it takes a quarter of the processor", () => {
    const world = setUp(endlessTurn());
    const subscribers = 5_000;
    const watchers = Array.from({ length: subscribers }, () => new Watcher());
    world.watch({}, watchers);
    const diffs = diffsInOneSecond(world, watchers[0]!);
    const costMs = subscribers * (deliveryCostMs(300) + WRITE_MS);
    expect(diffs).toBeGreaterThan(1);
    expect(diffs * costMs * REST_PER_COST).toBeLessThanOrEqual(1_000 + 2 * costMs * REST_PER_COST);
    // Another view is served as before.
    const other = new Watcher();
    world.watch({ hasFocus: true }, [other]);
    expect(diffsInOneSecond(world, other)).toBeGreaterThanOrEqual(1_000 / limits.diffIntervalMs - 1);
  });

  it("longer where one user is the only subscriber of many views: these share what one may take", () => {
    const world = setUp(endlessTurn());
    const mallory: FlushPayer = { flushFreeAt: 0 };
    const own = Array.from({ length: 2_000 }, () => new Watcher(mallory));
    for (const [i, watcher] of own.entries()) world.watch({ userIds: ["alice", `other-${i}`] }, [watcher]);
    const shared = new Watcher({ flushFreeAt: 0 });
    world.watch({ userIds: ["alice"] }, [shared, new Watcher(mallory)]);
    expect(diffsInOneSecond(world, shared)).toBeGreaterThanOrEqual(1_000 / limits.diffIntervalMs);
    const diffs = own.reduce((sum, { versions }) => sum + versions.length, 0);
    const alone = own.length * (1_000 / limits.diffIntervalMs);
    expect(diffs).toBeLessThan(alone);
    // In the end all are at the last state.
    world.time.now += 10_000;
    world.presence.run(world.time.now);
    for (const { versions } of own) expect(versions.length).toBeGreaterThan(1);
    expect(world.presence.debugCounts()).toMatchObject({ ready: 0, publishing: 0 });
  });
});

describe("the share of one user", () => {
  it("also pays for the user's idle views", () => {
    const world = setUp(endlessTurn());
    const { presence, time, telemetry } = world;
    const { liveViews } = presence;
    const owner = { flushFreeAt: 0, onIdle: () => {}, onIdleEnd: () => {} };
    const idle = 500;
    for (let i = 0; i < idle; i++) {
      const channel = liveViews.channel(compile({ userIds: ["alice", `other-${i}`] }));
      liveViews.releaseChannel(channel, time.now, owner);
    }
    const custom = Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`k${i}`, "x".repeat(500)]));
    presence.transact(time.now, (sessions) => sessions.open("alice", "widget", { custom }, connection));
    const bystander = new Watcher();
    world.watch({ userIds: ["alice"] }, [bystander]);
    const before = telemetry.diffs;
    const diffs = diffsInOneSecond(world, bystander);
    expect(diffs).toBeGreaterThanOrEqual(1_000 / limits.diffIntervalMs - 1);
    const costMs = flushCostMs(1, 3_500);
    const idleDiffs = telemetry.diffs - before - diffs;
    expect(idleDiffs).toBeGreaterThan(idle);
    // The first flush of each is free.
    expect((idleDiffs - idle) * costMs * REST_PER_COST).toBeLessThanOrEqual(1_000);
  });

  it("once used up, delays no other user who subscribes to the same views", () => {
    for (const isIdle of [false, true]) {
      const { presence, time, watch } = setUp(endlessTurn());
      const { liveViews } = presence;
      const owner = { flushFreeAt: 60_000, onIdle: () => {}, onIdleEnd: () => {} };
      const filter = { selectedConversationId: "room" };
      const mallory = new Watcher(owner);
      const channel = watch(filter, [mallory]);
      const session = presence.transact(time.now, (sessions) => {
        const opened = sessions.open("alice", "widget", filter, connection);
        if (isIdle) {
          channel.remove(mallory);
          liveViews.releaseChannel(channel, time.now, owner);
        }
        return opened;
      });
      time.now++;
      presence.transact(time.now, (sessions) => sessions.update(session, { hasFocus: true }));
      // Another socket of that user changes nothing.
      const again = new Watcher(owner);
      const joined = watch(filter, [again]);
      time.now += 2 * limits.diffIntervalMs;
      presence.run(time.now);
      expect([joined.view.version, joined.view.isMarked]).toEqual([2, true]);
      let isSettled = false;
      const bystander = new Watcher({ flushFreeAt: 0 });
      watch(filter, [bystander]).onceFlushed(() => {
        isSettled = true;
      });
      expect(presence.nextDueAt()).toBeLessThanOrEqual(time.now);
      presence.run(time.now);
      expect([joined.view.version, isSettled]).toEqual([3, true]);
      expect(bystander.versions).toEqual([3]);
      expect(presence.debugCounts()).toMatchObject({ indebted: 0 });
    }
  });
});

it("a view that is ready does not wait for a delivery to many", async () => {
  const { presence, time, watch } = setUp(new TurnBudget((error) => expect.fail(String(error))));
  const crowd = watch(
    { selectedConversationId: "crowd" },
    Array.from({ length: 20_000 }, () => new Watcher()),
  );
  const bystander = new Watcher();
  watch({ selectedConversationId: "quiet" }, [bystander]);
  presence.transact(time.now, (sessions) =>
    sessions.open("mallory", "widget", { selectedConversationId: "crowd" }, connection),
  );
  expect(crowd.isPublishing).toBe(true);
  presence.transact(time.now, (sessions) =>
    sessions.open("alice", "widget", { selectedConversationId: "quiet" }, connection),
  );
  await setImmediate();
  expect([crowd.isPublishing, bystander.versions]).toEqual([true, [2]]);
  while (crowd.isPublishing) await setImmediate();
});

it("a view does not wait for the many views of one user's large value to be flushed", async () => {
  const { presence, time, watch } = setUp(new TurnBudget((error) => expect.fail(String(error))));
  const crowd = Array.from({ length: 500 }, () => new Watcher({ flushFreeAt: 0 }));
  for (const [i, watcher] of crowd.entries()) watch({ userIds: ["mallory", `other-${i}`] }, [watcher]);
  const bystander = new Watcher({ flushFreeAt: 0 });
  watch({ userIds: ["alice"] }, [bystander]);
  const custom = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`k${i}`, "x".repeat(492)]));
  const [mallory, alice] = presence.transact(time.now, (sessions) => {
    const all = Array.from({ length: 16 }, () => sessions.open("mallory", "widget", { custom }, connection));
    return [all[0]!, sessions.open("alice", "widget", {}, connection)] as const;
  });
  const atVersion = (version: number) => crowd.filter(({ versions }) => versions.at(-1) === version).length;
  const settleAll = async () => {
    time.now += 10_000;
    presence.run(time.now);
    for (let turns = 0; presence.debugCounts().ready! > 0 && turns < 10_000; turns++) await setImmediate();
    time.now += 10_000;
    presence.run(time.now);
  };
  await settleAll();
  expect([atVersion(2), bystander.versions]).toEqual([crowd.length, [2]]);
  presence.transact(time.now, (sessions) => sessions.update(mallory, { isTyping: true }));
  presence.transact(time.now, (sessions) => sessions.update(alice, { isTyping: true }));
  await setImmediate();
  await setImmediate();
  expect(bystander.versions).toEqual([2, 3]);
  expect(atVersion(3)).toBeLessThan(crowd.length / 4);
  // And the crowd does not wait without an end, though somebody else goes on and on.
  for (let i = 0; i < 2_000 && atVersion(3) < crowd.length; i++) {
    time.now += limits.diffIntervalMs;
    presence.transact(time.now, (sessions) => sessions.update(alice, { hasFocus: i % 2 === 0 }));
    await setImmediate();
  }
  expect(atVersion(3)).toBe(crowd.length);
});

it("a diff to many is delivered in turns of the event loop: in order, once, and to all", async () => {
  const world = setUp(new TurnBudget((error) => expect.fail(String(error))));
  const { presence, time } = world;
  const watchers = Array.from({ length: 30_000 }, () => new Watcher());
  const channel = world.watch({}, watchers);
  const session = presence.transact(time.now, (sessions) => sessions.open("alice", "widget", {}, connection));
  const served = () => watchers.filter(({ versions }) => versions.length > 0).length;
  expect(served()).toBeGreaterThan(0);
  expect(served()).toBeLessThan(2 * (TURN_MS / deliveryCostMs(300)));
  // Changes meanwhile wait for the whole delivery, and for the rest after it.
  presence.transact(time.now, (sessions) => sessions.update(session, { hasFocus: true }));
  channel.remove(watchers.at(-1)!);
  const late = new Watcher();
  channel.add(late);
  let turns = 0;
  for (; channel.isPublishing; turns++) await setImmediate();
  expect(turns).toBeGreaterThan(5);
  expect(served()).toBe(watchers.length - 1);
  time.now += 10_000;
  presence.run(time.now);
  do await setImmediate();
  while (channel.isPublishing);
  expect(watchers.slice(0, -1).every(({ versions }) => versions.join() === "2,3")).toBe(true);
  expect(late.versions.at(-1)).toBe(3);
});
