import { expect, it } from "vitest";
import { createAwakeClock, MIN_PAUSE_MS } from "../../src/server/clock.ts";

/** A clock of a process that a test lets work, rest or stand still. */
function sampleProcess() {
  const time = { real: 5_000, processor: 100, wall: 1_000_000 };
  const clock = createAwakeClock(
    () => time.real,
    () => time.wall,
    () => time.processor,
  );
  return { clock, time };
}

it("goes on with the monotonic clock while it is read often enough", () => {
  const { clock, time } = sampleProcess();
  const start = clock.now();
  for (let i = 0; i < 10; i++) {
    time.real += MIN_PAUSE_MS;
    clock.now();
  }
  expect(clock.now() - start).toBe(10 * MIN_PAUSE_MS);
});

it("stands still while the process does not run", () => {
  const { clock, time } = sampleProcess();
  const start = clock.now();
  time.real += 60_000;
  time.processor += 10;
  // Only the processor time of the pause has passed.
  expect(clock.now() - start).toBe(10);
  time.real += 100;
  expect(clock.now() - start).toBe(110);
});

it("goes on while the process is busy, however long", () => {
  const { clock, time } = sampleProcess();
  const start = clock.now();
  time.real += 60_000;
  time.processor += 59_500;
  expect(clock.now() - start).toBe(60_000);
});

it("does not count processor time from before a pause as work in it", () => {
  const { clock, time } = sampleProcess();
  const start = clock.now();
  for (let i = 0; i < 4; i++) {
    time.real += 900;
    time.processor += 900;
    clock.now();
  }
  time.real += 10_000;
  expect(clock.now() - start).toBe(3_600);
});

it("has the wall clock's time for tokens, pauses or not", () => {
  const { clock, time } = sampleProcess();
  time.wall += 60_000;
  expect(clock.wallNow()).toBe(1_060_000);
});
