import { expect, it } from "vitest";
import { Heartbeat } from "../../../src/server/gateway/heartbeat.ts";

const INTERVAL_MS = 1_000;

it("sends a ping after an interval of silence, and waits half an interval for the answer", () => {
  const heartbeat = new Heartbeat(INTERVAL_MS);
  expect(heartbeat.nextCheckAt(0)).toBe(1_000);
  expect(heartbeat.check(0, 999)).toBe("alive");
  expect(heartbeat.check(0, 1_000)).toBe("ping");
  expect(heartbeat.nextCheckAt(0)).toBe(1_500);
  expect(heartbeat.check(0, 1_499)).toBe("alive");
  expect(heartbeat.check(0, 1_500)).toBe("dead");
});

it("begins again once the client has sent something", () => {
  const heartbeat = new Heartbeat(INTERVAL_MS);
  expect(heartbeat.check(0, 1_000)).toBe("ping");
  heartbeat.heard();
  expect(heartbeat.nextCheckAt(1_200)).toBe(2_200);
  expect(heartbeat.check(1_200, 1_500)).toBe("alive");
  expect(heartbeat.check(1_200, 2_200)).toBe("ping");
});

it("sends a ping first, however long this process was paused", () => {
  const heartbeat = new Heartbeat(INTERVAL_MS);
  expect(heartbeat.check(0, 60_000)).toBe("ping");
  expect(heartbeat.nextCheckAt(0)).toBe(60_500);
  expect(heartbeat.check(0, 60_500)).toBe("dead");
});
