import { describe, expect, it } from "vitest";
import { type Timing, timingProblem, timingWarnings } from "../../../src/server/settings/timing.ts";

const LIMITS = { drainMs: 10_000, heartbeatIntervalMs: 16_000, resumeWindowMs: 15_000 };
const timing = (fields: Partial<Timing> = {}, limits: Partial<Timing["limits"]> = {}): Timing => ({
  nodeLeaseMs: undefined,
  terminationGraceMs: undefined,
  ...fields,
  limits: { ...LIMITS, ...limits },
});

describe("the time until a process is killed", () => {
  it("is enough for the drain and five seconds", () => {
    expect(timingProblem(timing({ terminationGraceMs: 15_000 }))).toBeUndefined();
    expect(timingProblem(timing({ terminationGraceMs: 14_999 }))).toMatch(
      /raise it to 15000.*lower DRAIN_MS$/,
    );
    expect(timingProblem(timing({ terminationGraceMs: 5_000 }, { drainMs: 0 }))).toBeUndefined();
  });

  it("may be unknown", () => {
    expect(timingProblem(timing())).toBeUndefined();
  });
});

describe("warnings", () => {
  it("are about clusters only", () => {
    expect(timingWarnings(timing({}, { heartbeatIntervalMs: 3_600_000 }))).toEqual([]);
    expect(timingWarnings(timing({ nodeLeaseMs: 10_000 }))).toEqual([]);
  });

  it("are of a lease that a pause may outlast", () => {
    expect(timingWarnings(timing({ nodeLeaseMs: 4_999 }, { heartbeatIntervalMs: 10_000 }))).toEqual([
      expect.stringMatching(/^NODE_LEASE_MS is under 5 s/),
    ]);
    expect(timingWarnings(timing({ nodeLeaseMs: 5_000 }, { heartbeatIntervalMs: 10_000 }))).toEqual([]);
  });

  it("are of clients that learn of the death of their node when their sessions have ended", () => {
    const of = (heartbeatIntervalMs: number) =>
      timingWarnings(timing({ nodeLeaseMs: 10_000 }, { heartbeatIntervalMs }));
    expect(of(19_999)).toEqual([]);
    expect(of(20_000)).toEqual([
      expect.stringMatching(/HEARTBEAT_INTERVAL_MS .* NODE_LEASE_MS and RESUME_WINDOW_MS/),
    ]);
  });
});
