import { expect, it } from "vitest";
import { RestartPause } from "../../../src/server/workers/restart-pause.ts";

it("is none at first, and then twice as long each time, up to half a minute", () => {
  const pause = new RestartPause();
  const pauses = Array.from({ length: 9 }, () => pause.next(10));
  expect(pauses).toEqual([0, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
});

it("is none again after a minute without an end", () => {
  const pause = new RestartPause();
  expect([pause.next(10), pause.next(59_999), pause.next(60_000), pause.next(10)]).toEqual([0, 500, 0, 500]);
});
