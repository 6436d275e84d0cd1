import { expect, it } from "vitest";
import { STALL_MS } from "../../../src/server/gateway/gateway-config.ts";
import { type SlowReader, SlowReaders } from "../../../src/server/gateway/slow-readers.ts";
import { testTelemetry } from "../../support/stubs.ts";

class Reader implements SlowReader {
  stalls = 0;
  drains = 0;
  readonly sendQueue = { buffered: 100, progress: 0, drained: () => void this.drains++ };

  onStall(): void {
    this.stalls++;
  }
}

function setUp(count: number) {
  const crashes: unknown[] = [];
  const telemetry = testTelemetry((error) => void crashes.push(error));
  const slowReaders = new SlowReaders(telemetry);
  const readers = Array.from({ length: count }, () => new Reader());
  for (const reader of readers) slowReaders.add(reader, 0);
  const pass = (from: number, ms: number) => {
    for (let now = from; now <= from + ms; now += 500) slowReaders.check(now);
  };
  return { slowReaders, readers, telemetry, crashes, pass };
}

it("a reader that takes nothing for so long is ended, once, and counted", () => {
  const { slowReaders, readers, telemetry, pass } = setUp(1);
  pass(0, STALL_MS - 500);
  expect(readers[0]!.stalls).toBe(0);
  pass(STALL_MS, 3 * STALL_MS);
  expect([readers[0]!.stalls, slowReaders.size, telemetry.slowReadersDisconnected]).toEqual([1, 0, 1]);
});

it("a reader that takes some has the whole time again, also if it is added again", () => {
  const { slowReaders, readers, pass } = setUp(1);
  const [reader] = readers;
  pass(0, STALL_MS - 1_000);
  reader!.sendQueue.progress++;
  pass(STALL_MS - 500, STALL_MS - 1_000);
  slowReaders.add(reader!, 2 * STALL_MS - 1_500);
  expect(reader!.stalls).toBe(0);
  pass(2 * STALL_MS - 1_000, 2_000);
  expect(reader!.stalls).toBe(1);
});

it("a reader that has taken everything is served on, also if its transport does not say so", () => {
  const { slowReaders, readers, pass } = setUp(1);
  readers[0]!.sendQueue.buffered = 0;
  pass(0, 2 * STALL_MS);
  expect([readers[0]!.drains, readers[0]!.stalls, slowReaders.size]).toEqual([1, 0, 0]);
});

it("one that has gone is looked at no longer, and a defect in one does not stop the others", () => {
  const { slowReaders, readers, crashes, pass } = setUp(3);
  const [gone, broken, last] = readers;
  slowReaders.delete(gone!);
  broken!.onStall = () => {
    throw new Error("a defect");
  };
  pass(0, STALL_MS + 1_000);
  expect([gone!.stalls, last!.stalls, crashes, slowReaders.size]).toEqual([0, 1, [new Error("a defect")], 0]);
});

it("a reader that cannot be asked keeps no other from being ended", () => {
  const { readers, crashes, pass } = setUp(2);
  Object.defineProperty(readers[0]!.sendQueue, "progress", {
    get: () => {
      throw new Error("a defect");
    },
  });
  pass(0, STALL_MS);
  expect(readers[1]!.stalls).toBe(1);
  expect(crashes.length).toBeGreaterThan(0);
});
