import { expect, it } from "vitest";
import { ACTIVITY_LOG_LENGTH, ActivityLog } from "../../../src/dashboard/model/activity-log.ts";

it("lists the newest entry first and is bounded", () => {
  const log = new ActivityLog();
  const users = Array.from({ length: 1_000 }, (_, i) => `user-${i}`);
  log.add({ entered: users, updated: users, left: [] }, 1);
  log.add({ entered: ["alice"], updated: [], left: [{ userId: "bob", cause: "timeout" }] }, 2);
  const entries = log.entries();
  expect(entries).toHaveLength(ACTIVITY_LOG_LENGTH);
  expect(entries[0]).toMatchObject({ userId: "alice", cause: undefined, at: 2 });
  expect(entries[1]).toMatchObject({ userId: "bob", cause: "timeout" });
  expect(entries[2]).toMatchObject({ userId: "user-999" });
  expect(new Set(entries.map(({ number }) => number)).size).toBe(ACTIVITY_LOG_LENGTH);
});

it("ignores updates", () => {
  const log = new ActivityLog();
  log.add({ entered: [], updated: ["alice"], left: [] }, 1);
  expect(log.entries()).toEqual([]);
});

it("keeps the entries of another filter behind a divider", () => {
  const log = new ActivityLog();
  log.add({ entered: ["alice"], updated: [], left: [] }, 1);
  log.addDivider(2);
  log.add({ entered: ["bob"], updated: [], left: [] }, 3);
  expect(log.entries().map(({ userId, at }) => [userId, at])).toEqual([
    ["bob", 3],
    [undefined, 2],
    ["alice", 1],
  ]);
});

it("stands still while it is held, and has recorded what happened meanwhile", () => {
  const log = new ActivityLog();
  log.add({ entered: ["alice"], updated: [], left: [] }, 1);
  log.hold();
  log.hold();
  const many = Array.from({ length: 1_000 }, (_, i) => `user-${i}`);
  log.add({ entered: many, updated: [], left: [] }, 2);
  expect(log.entries().map(({ userId }) => userId)).toEqual(["alice"]);
  log.release();
  expect(log.entries()).toHaveLength(ACTIVITY_LOG_LENGTH);
  expect(log.entries()[0]).toMatchObject({ userId: "user-999" });
});
