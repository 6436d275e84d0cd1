import { expect, it } from "vitest";
import { Frame } from "../../../../src/server/gateway/frame.ts";
import { UwsBodySink } from "../../../../src/server/transport/uws/uws-body-sink.ts";
import type { UwsResponse } from "../../../../src/server/transport/uws/uws-types.ts";

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

/** A response whose network takes what is written while `isFree`. */
function sinkOn({ isAborted = false } = {}) {
  const state = {
    corks: 0,
    isAborted,
    isFree: true,
    calls: [] as string[],
    onWritable: () => true as boolean,
  };
  const response: Partial<Record<keyof UwsResponse, unknown>> = {
    cork: (write: () => void) => {
      state.corks++;
      write();
    },
    write: (chunk: string | Uint8Array) => {
      state.calls.push(String(chunk));
      return state.isFree;
    },
    end: () => state.calls.push("end"),
    close: () => state.calls.push("close"),
    onWritable: (handler: () => boolean) => {
      state.onWritable = handler;
    },
  };
  const sink = new UwsBodySink(response as unknown as UwsResponse, () => state.isAborted);
  let drained = 0;
  sink.listener = { onDrain: () => drained++, onClose: () => {} };
  return { sink, state, drained: () => drained };
}

it("what is taken does not wait", () => {
  const { sink, state } = sinkOn();
  expect(sink.send(new Frame("é"))).toBe(true);
  expect([state.calls, sink.buffered]).toEqual([["é"], 0]);
});

it("what is sent together is written in one cork", () => {
  const { sink, state } = sinkOn();
  expect(sink.sendTogether([new Frame("1"), new Frame("2")])).toBe(true);
  expect([state.calls, state.corks]).toEqual([["1", "2"], 1]);
  state.isFree = false;
  expect(sink.sendTogether([new Frame("1"), new Frame("é")])).toBe(false);
  expect(sink.buffered).toBe(3);
});

it("what waits is counted in bytes until the library has written all of it", () => {
  const { sink, state, drained } = sinkOn();
  state.isFree = false;
  expect(sink.send(new Frame("é"))).toBe(false);
  expect(sink.send(new Frame("x"))).toBe(false);
  expect([sink.buffered, sink.progress]).toEqual([3, 0]);
  expect(state.onWritable()).toBe(false);
  expect([sink.buffered, sink.progress, drained()]).toEqual([3, 1, 0]);
  state.isFree = true;
  expect(state.onWritable()).toBe(true);
  expect([sink.buffered, sink.progress, drained()]).toEqual([0, 2, 1]);
  state.onWritable();
  expect(drained()).toBe(1);
});

it("when there is room, a comment outside a cork takes along what waits, also of a cork that seemed to be out", () => {
  const { sink, state } = sinkOn();
  sink.send(new Frame("x"));
  state.onWritable();
  expect([state.calls, state.corks]).toEqual([["x", ":\n\n"], 1]);
  state.isAborted = true;
  state.onWritable();
  expect(state.calls).toHaveLength(2);
});

it("a later write that takes along what waited is told after the turn", async () => {
  const { sink, state, drained } = sinkOn();
  state.isFree = false;
  sink.send(new Frame("1"));
  state.isFree = true;
  expect(sink.send(new Frame("2"))).toBe(true);
  expect(drained()).toBe(0);
  await nextTurn();
  expect([drained(), sink.buffered]).toEqual([1, 0]);
});

it.each(["end", "terminate"] as const)("nothing follows %s", (name) => {
  const { sink, state } = sinkOn();
  sink[name]();
  sink.send(new Frame("late"));
  sink.end();
  sink.terminate();
  expect(state.calls).toEqual([name === "end" ? "end" : "close"]);
});

it("nothing is written for a client that has gone, for the library throws then", () => {
  const { sink, state } = sinkOn({ isAborted: true });
  expect(sink.send(new Frame("x"))).toBe(true);
  sink.end();
  sink.terminate();
  expect(state.calls).toEqual([]);
});
