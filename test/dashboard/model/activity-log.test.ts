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

it("ignores updates and is empty after clear", () => {
  const log = new ActivityLog();
  log.add({ entered: [], updated: ["alice"], left: [] }, 1);
  expect(log.entries()).toEqual([]);
  log.add({ entered: ["alice"], updated: [], left: [] }, 1);
  log.clear();
  expect(log.entries()).toEqual([]);
});
