import { describe, expect, it } from "vitest";
import { CompiledFilter } from "../../../src/core/views/compiled-filter.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";
import { App } from "../../../src/server/auth/app.ts";
import { FlushBatch } from "../../../src/server/gateway/flush-batch.ts";
import type { SessionLife } from "../../../src/server/gateway/session-life.ts";
import type { Subscriber } from "../../../src/server/gateway/view-channel.ts";
import { readSettings } from "../../../src/server/settings/settings.ts";
import { testPresence } from "../../support/presence.ts";

const { limits } = readSettings({}, { openFiles: 65_536, readFile: () => "" });
const connection = { onSessionTaken: () => {} };
const EVERYONE = new CompiledFilter(FilterSchema.parse({}));

function setUp(flushBatch = new FlushBatch()) {
  const { presence, time } = testPresence({ startAt: 1_000, flushBatch });
  const diffs: Record<string, unknown>[] = [];
  const watch = (onDeliver = () => {}) => {
    const subscriber: Subscriber = {
      payer: undefined,
      deliver: (frame) => {
        diffs.push(JSON.parse(frame.text).data);
        onDeliver();
      },
      end: () => [],
      fail: (error) => expect.fail(String(error)),
    };
    presence.liveViews.join(presence.liveViews.channel(EVERYONE), subscriber);
  };
  const transact = <T>(act: (sessions: SessionLife) => T) => presence.transact(time.now, act);
  return { presence, diffs, watch, transact, time };
}

describe("a transaction", () => {
  it("sends all of its changes at its end, as one diff", () => {
    const { diffs, watch, transact } = setUp();
    watch();
    transact((sessions) => {
      for (const userId of ["alice", "bob"]) sessions.open(userId, "widget", {}, connection);
      expect(diffs).toEqual([]);
    });
    expect(diffs.map((data) => Object.keys(data))).toEqual([["alice", "bob"]]);
  });

  it("sends its changes even if it throws", () => {
    const { diffs, watch, transact } = setUp();
    watch();
    const fail = () =>
      transact((sessions) => {
        sessions.open("alice", "widget", {}, connection);
        throw new Error("a defect");
      });
    expect(fail).toThrow("a defect");
    expect(diffs.map((data) => Object.keys(data))).toEqual([["alice"]]);
    // Nothing of it is left open.
    transact((sessions) => sessions.forceEndAll("alice"));
    expect(diffs).toHaveLength(1);
  });

  it("inside another one becomes part of it, and does not change its time", () => {
    const { presence, diffs, watch, transact, time } = setUp();
    watch();
    transact((sessions) => {
      presence.transact(time.now + 7_000, (inner) => inner.open("alice", "widget", {}, connection));
      expect(diffs).toEqual([]);
      sessions.open("bob", "widget", { isTyping: true }, connection);
    });
    expect(diffs).toHaveLength(1);
    expect(presence.nextDueAt()).toBe(time.now + limits.diffIntervalMs);
    presence.run(time.now + limits.typingTimeoutMs);
    expect(presence.table.counts()).toMatchObject({ users: 2, typing: 0 });
  });

  it("that begins during a delivery is flushed by the running flush", () => {
    const { presence, diffs, watch, transact, time } = setUp();
    let isFirst = true;
    watch(() => {
      if (!isFirst) return;
      isFirst = false;
      // As when a subscriber cannot be served, and its sessions end.
      transact((sessions) => sessions.forceEndAll("alice"));
    });
    transact((sessions) => sessions.open("alice", "widget", {}, connection));
    expect(diffs).toHaveLength(1);
    presence.run(time.now + limits.diffIntervalMs);
    expect(diffs[1]).toEqual({ alice: null });
    expect(presence.debugCounts()).toMatchObject({ sessions: 0, ready: 0, publishing: 0 });
  });

  it("is the only way to change sessions", () => {
    const { transact } = setUp();
    const kept = transact((sessions) => sessions);
    expect(() => kept.open("alice", "widget", {}, connection)).toThrow("inside a transaction only");
    expect(() => kept.replicated.applyRemoteEnd({} as never, "closed")).toThrow("inside a transaction only");
  });
});

describe("a batch of transactions", () => {
  it("flushes each app once, at its end, even if it throws", () => {
    const batch = new FlushBatch();
    const apps = [setUp(batch), setUp(batch)];
    for (const { watch } of apps) watch();
    const openAll = () =>
      batch.run(
        () => 0,
        () => {
          for (const userId of ["alice", "bob"]) {
            for (const { transact } of apps) {
              transact((sessions) => sessions.open(userId, "widget", {}, connection));
            }
          }
          expect(apps.flatMap(({ diffs }) => diffs)).toEqual([]);
          throw new Error("a defect");
        },
      );
    expect(openAll).toThrow("a defect");
    for (const { diffs } of apps) expect(diffs.map((data) => Object.keys(data))).toEqual([["alice", "bob"]]);
  });

  it("flushes at the time of its end, from which its views rest", () => {
    const batch = new FlushBatch();
    const { presence, watch, transact, time, diffs } = setUp(batch);
    watch();
    const open = (userId: string) => transact((sessions) => sessions.open(userId, "widget", {}, connection));
    batch.run(
      () => time.now,
      () => {
        open("alice");
        time.now += 2 * limits.diffIntervalMs;
        open("bob");
      },
    );
    open("carol");
    expect(diffs.map((data) => Object.keys(data))).toEqual([["alice", "bob"]]);
    expect(presence.nextDueAt()).toBe(time.now + limits.diffIntervalMs);
  });
});

describe("an app that is removed", () => {
  it("ends the sessions that no socket holds, and is gone once the sockets are", () => {
    const { presence, transact, time } = setUp();
    const [lost] = transact((sessions) => [
      sessions.open("alice", "widget", {}, connection),
      sessions.open("bob", "widget", {}, connection),
    ]);
    transact((sessions) => sessions.markDisconnected(lost!));
    presence.sockets = 1;
    presence.retire(time.now);
    expect([presence.isRetired, presence.isGone]).toEqual([true, false]);
    presence.run(time.now);
    expect([...presence.table.all()].map(({ user }) => user.userId)).toEqual(["bob"]);
    expect(presence.isGone).toBe(false);
    presence.sockets = 0;
    expect(presence.isGone).toBe(true);
  });
});

it("an app that is configured anew keeps its sessions, and has other rights", () => {
  const { presence, transact } = setUp();
  transact((sessions) => sessions.open("alice", "widget", {}, connection));
  const next = new App({ id: "app", secrets: ["y"], lastSeen: true });
  presence.reconfigure(next);
  expect(presence.app).toBe(next);
  transact((sessions) => sessions.forceEndAll("alice"));
  expect(transact(({ profiles }) => profiles.lastSeenAt("alice"))).toBe(1_000);
});
