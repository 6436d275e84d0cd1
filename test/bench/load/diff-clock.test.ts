import { expect, it } from "vitest";
import { DiffClock } from "../../../bench/load/diff-clock.ts";

function diff(users: Record<string, boolean | null>): Buffer {
  const data = Object.fromEntries(
    Object.entries(users).map(([userId, isTyping]) => [
      userId,
      isTyping === null ? null : { widgets: [{ isTyping }] },
    ]),
  );
  return Buffer.from(JSON.stringify({ type: "diff", data }));
}

it("an event has arrived with the state that it made, and so have all events merged into it", () => {
  const arrived: number[] = [];
  const clock = new DiffClock("isTyping", (tookMs, due) => {
    expect(tookMs).toBeGreaterThanOrEqual(0);
    arrived.push(due);
  });
  clock.expect("alice", true, 1);
  clock.expect("bob", true, 2);
  // A diff from before the event: it contains the earlier state.
  expect(clock.read(diff({ alice: false, carol: true }))).toBe(0);
  expect(clock.read(diff({ alice: true }))).toBe(1);
  clock.expect("alice", false, 3);
  clock.expect("alice", true, 4);
  clock.expect("alice", false, 5);
  expect(clock.read(diff({ alice: false, bob: true }))).toBe(4);
  expect(arrived).toEqual([1, 3, 4, 5, 2]);
  expect(clock.read(diff({ alice: false, bob: null }))).toBe(0);
});
