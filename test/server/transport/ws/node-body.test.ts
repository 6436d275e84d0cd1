import { EventEmitter } from "node:events";
import type { IncomingMessage } from "node:http";
import { expect, it } from "vitest";
import { BodyBudget } from "../../../../src/server/http/body-budget.ts";
import type { TransportOptions } from "../../../../src/server/transport/transport.ts";
import { readBody } from "../../../../src/server/transport/ws/node-body.ts";

/** Reads a body of which the test sends the pieces; each owner may have so many bytes. */
function read(length: number, room = 100, maxBytes = 1_000) {
  const bodies = new BodyBudget(8 * 4 * room);
  const request = Object.assign(new EventEmitter(), { isResumed: false, resume: () => {} });
  request.resume = () => {
    request.isResumed = true;
  };
  let refused = 0;
  const options = { bodies, bodyRefused: () => refused++ } as unknown as TransportOptions;
  const wanted = { owner: "app", maxBytes };
  const body = readBody(request as unknown as IncomingMessage, length, wanted, options);
  return { bodies, body, refused: () => refused, request };
}

it("a body that comes at once is never counted", async () => {
  const { bodies, body, request } = read(500);
  const bytes = Buffer.alloc(500, "x");
  request.emit("data", bytes);
  expect(bodies.bytes).toBe(0);
  request.emit("end");
  expect(await body).toEqual({ kind: "whole", bytes });
});

it("the pieces of a body are counted until it is whole", async () => {
  const { bodies, body, request } = read(6);
  request.emit("data", Buffer.from("ab"));
  request.emit("data", Buffer.from("cd"));
  // The memory for all of it.
  expect(bodies.bytes).toBe(6);
  request.emit("data", Buffer.from("ef"));
  request.emit("end");
  expect(await body).toEqual({ kind: "whole", bytes: Buffer.from("abcdef") });
  expect(bodies.bytes).toBe(0);
});

it("a body for which there is no room is refused, and its rest is skipped", async () => {
  const { bodies, body, refused, request } = read(6_000, 5_000, 6_000);
  request.emit("data", Buffer.alloc(60));
  expect([refused(), bodies.bytes]).toEqual([0, 4_096]);
  request.emit("data", Buffer.alloc(4_040));
  expect(await body).toEqual({ kind: "refused" });
  expect([refused(), bodies.bytes, request.isResumed]).toEqual([1, 0, true]);
  // The client may still go away, which is no crash.
  expect(() => request.emit("error", new Error("reset"))).not.toThrow();
});

it.each(["close", "error"])("a client that goes away gives back its bytes: %s", async (event) => {
  const { bodies, body, request } = read(100);
  request.emit("data", Buffer.alloc(60));
  expect(bodies.bytes).toBe(100);
  request.emit(event, new Error("reset"));
  expect(await body).toEqual({ kind: "gone" });
  expect(bodies.bytes).toBe(0);
  expect(request.listenerCount("data")).toBe(0);
});

it("a body of a length that nobody knows ends with its end", async () => {
  const { bodies, body, request } = read(Number.POSITIVE_INFINITY, 1_000);
  for (const byte of "abcdef") request.emit("data", Buffer.from(byte));
  // The memory for a body as long as the route accepts.
  expect(bodies.bytes).toBe(1_000);
  request.emit("end");
  expect(await body).toEqual({ kind: "whole", bytes: Buffer.from("abcdef") });
  expect(bodies.bytes).toBe(0);
});

it("a body that turns out too large is read to its end, or to a bound", async () => {
  const short = read(Number.POSITIVE_INFINITY);
  for (let i = 0; i < 20; i++) short.request.emit("data", Buffer.alloc(90));
  // It is refused for room first: an owner may have 100 bytes.
  expect(await short.body).toEqual({ kind: "refused" });
  const whole = read(Number.POSITIVE_INFINITY);
  whole.request.emit("data", Buffer.alloc(1_001));
  whole.request.emit("data", Buffer.alloc(5));
  whole.request.emit("end");
  expect(await whole.body).toEqual({ kind: "too-large", isOver: true });
  const endless = read(Number.POSITIVE_INFINITY);
  endless.request.emit("data", Buffer.alloc(1_001));
  for (let i = 0; i < 300_000 && !endless.request.isResumed; i++) endless.request.emit("data", Buffer.of(1));
  expect(await endless.body).toEqual({ kind: "too-large", isOver: false });
});
