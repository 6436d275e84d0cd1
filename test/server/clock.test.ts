import { describe, expect, it } from "vitest";
import { createAwakeClock } from "../../src/server/clock.ts";

describe("the awake clock", () => {
  const setUp = () => {
    const time = { real: 0, used: 0 };
    const clock = createAwakeClock(
      () => time.real,
      () => 0,
      () => time.used,
    );
    for (; time.real < 10_000; time.real += 500) clock.now();
    expect(clock.now()).toBe(10_000);
    return { time, clock };
  };

  it("goes with the time while it is read, and stands still while the process does", () => {
    const { time, clock } = setUp();
    time.real += 20_000;
    time.used += 30;
    const after = clock.now();
    expect(after).toBe(10_030);
    time.real += 400;
    expect(clock.now() - after).toBe(400);
  });

  it("goes on while the process is busy, for as long as it is, again and again", () => {
    const { time, clock } = setUp();
    for (let n = 1; n <= 10; n++) {
      time.real += 5_000;
      time.used += 4_900;
      expect(clock.now()).toBe(10_000 + n * 5_000);
    }
  });

  it("counts the busy part of a pause in which the process was stopped as well", () => {
    const { time, clock } = setUp();
    time.real += 20_000;
    time.used += 3_000;
    expect(clock.now()).toBe(13_000);
  });
});
