import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { expect, it } from "vitest";
import { Frame } from "../../../../src/server/gateway/frame.ts";
import { NodeBodySink } from "../../../../src/server/transport/ws/node-body-sink.ts";

function sinkOn() {
  const response = {
    writableLength: 0,
    writableEnded: false,
    destroyed: false,
    isSlow: false,
    written: [] as string[],
    flushed: [] as (() => void)[],
    write(bytes: Buffer, flushed: () => void): void {
      response.written.push(String(bytes));
      response.flushed.push(flushed);
      if (response.isSlow) response.writableLength += bytes.length;
    },
    end: () => {
      response.writableEnded = true;
    },
    destroy: () => {
      response.destroyed = true;
    },
    /** The network takes all that waits. */
    drain(): void {
      response.writableLength = 0;
      for (const flushed of response.flushed.splice(0)) flushed();
    },
  };
  const tcp = { _handle: { bytesWritten: 50, writeQueueSize: 8 } };
  const sink = new NodeBodySink(response as unknown as ServerResponse, tcp as unknown as Socket);
  let drained = 0;
  sink.listener = { onDrain: () => drained++, onClose: () => {} };
  return { response, sink, drained: () => drained };
}

it("what is taken at once does not wait", () => {
  const { response, sink, drained } = sinkOn();
  expect(sink.send(new Frame("a"))).toBe(true);
  response.drain();
  expect([response.written, sink.buffered, drained()]).toEqual([["a"], 0, 0]);
});

it("what waits is counted, and told once when none waits any more", () => {
  const { response, sink, drained } = sinkOn();
  response.isSlow = true;
  expect(sink.send(new Frame("é"))).toBe(false);
  expect(sink.send(new Frame("x"))).toBe(false);
  expect(sink.buffered).toBe(3);
  response.flushed.shift()!();
  expect(drained()).toBe(0);
  response.drain();
  expect([sink.buffered, drained()]).toEqual([0, 1]);
});

it("progress is what the kernel has taken", () => {
  expect(sinkOn().sink.progress).toBe(42);
});

it.each(["end", "terminate"] as const)("nothing is written after %s", (name) => {
  const { response, sink } = sinkOn();
  sink[name]();
  expect(sink.send(new Frame("late"))).toBe(true);
  expect(response.written).toEqual([]);
  expect([response.writableEnded, response.destroyed]).toEqual([name === "end", name === "terminate"]);
});
