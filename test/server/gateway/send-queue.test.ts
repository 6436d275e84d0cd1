import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { MAX_SERVER_MESSAGE_BYTES } from "../../../src/protocol/rules.ts";
import { Frame } from "../../../src/server/gateway/frame.ts";
import { PendingWrites } from "../../../src/server/gateway/pending-writes.ts";
import { type PagedResponse, SendQueue } from "../../../src/server/gateway/send-queue.ts";
import { Random } from "../../support/random.ts";
import { seeds } from "../../support/seed.ts";
import { TEST_OWNER, testPageTurns } from "../../support/stubs.ts";

/** A reader that takes nothing, or part of what waits, when told to. */
class Sink {
  buffered = 0;
  progress = 0;
  most = 0;
  longest = 0;

  send(frame: Frame): boolean {
    this.buffered += frame.byteLength;
    this.most = Math.max(this.most, this.buffered);
    this.longest = Math.max(this.longest, frame.byteLength);
    return false;
  }
}

/** Pages of an answer, each of the given length in bytes. */
function pagesOf(sendQueue: SendQueue, lengths: readonly number[]): PagedResponse {
  let next = 0;
  return {
    step: () => {
      sendQueue.send(new Frame("p".repeat(lengths[next++]!)));
      return next === lengths.length ? "done" : "more";
    },
  };
}

const LONGEST_VALUE = 200 * 1024;

describe.each([1_024, 65_536, 300_000, 1_048_576, 16 * 1_048_576])(
  "with MAX_BUFFERED_BYTES of %i",
  (maxBytes) => {
    it.each(seeds(4))("no more bytes wait for a reader, whatever is sent to it (seed %i)", (seed) => {
      const random = new Random(seed);
      const sink = new Sink();
      const sendQueue = new SendQueue(sink, maxBytes, TEST_OWNER, testPageTurns());
      for (let n = 0; n < 2_000; n++) {
        const what = random.below(5);
        if (what < 2)
          sendQueue.offer(new Frame("é".repeat(random.below(random.pick([100, 40_000, 1_000_000])))));
        else if (what === 2 && sendQueue.pagedResponses < 20) {
          const pages = Array.from({ length: 1 + random.below(5) }, () => random.below(LONGEST_VALUE));
          sendQueue.start(pagesOf(sendQueue, pages));
        } else if (what === 3) {
          sink.buffered = Math.floor(sink.buffered * random.next());
          sendQueue.wake();
        } else if (random.oneIn(3)) {
          sink.buffered = 0;
          sendQueue.drained();
        }
      }
      // A page goes out alone where the setting is smaller than a page.
      expect(sink.most).toBeLessThanOrEqual(Math.max(maxBytes, LONGEST_VALUE));
      expect(sink.longest).toBeLessThanOrEqual(MAX_SERVER_MESSAGE_BYTES);
      expect(sink.longest).toBeGreaterThan(0);
    });
  },
);

it("a frame that the protocol does not allow is a defect, and is not sent", () => {
  const sink = new Sink();
  const sendQueue = new SendQueue(sink, 16 * MAX_SERVER_MESSAGE_BYTES, TEST_OWNER, testPageTurns());
  sendQueue.send(new Frame("x".repeat(MAX_SERVER_MESSAGE_BYTES)));
  expect(() => sendQueue.send(new Frame("x".repeat(MAX_SERVER_MESSAGE_BYTES + 1)))).toThrow(RangeError);
  expect(() => sendQueue.send(new Frame("é".repeat(MAX_SERVER_MESSAGE_BYTES / 2 + 1)))).toThrow(RangeError);
  expect(sink.buffered).toBe(MAX_SERVER_MESSAGE_BYTES);
});

it("an answer that fails is reported to the owner, and not tried again", () => {
  const failures: unknown[] = [];
  const owner = { onBacklog: () => {}, onFailure: (error: unknown) => void failures.push(error) };
  const sendQueue = new SendQueue(new Sink(), 1_000_000, owner, testPageTurns());
  sendQueue.start({
    step: () => {
      throw new Error("a defect");
    },
  });
  sendQueue.drained();
  expect(failures).toHaveLength(1);
  expect(sendQueue.pagedResponses).toBe(0);
});

it("the bytes that wait for all sockets of a user are limited, at no cost to others", () => {
  const SOCKETS = 1_000;
  const maxBytes = 1_048_576;
  const random = new Random(14);
  const mallory = { backlogged: 0 };
  const sockets = Array.from({ length: SOCKETS }, () => {
    const sink = new Sink();
    const sendQueue = new SendQueue(sink, maxBytes, TEST_OWNER, testPageTurns());
    sendQueue.party = mallory;
    return { sink, sendQueue };
  });
  const frames = [300, 20_000, 150_000].map((length) => new Frame("d".repeat(length)));
  for (let n = 0; n < 40_000; n++) random.pick(sockets).sendQueue.offer(random.pick(frames));
  const waits = sockets.reduce((sum, { sink }) => sum + sink.buffered, 0);
  // By themselves each could have a mebibyte.
  expect(waits).toBeLessThan(0.12 * SOCKETS * maxBytes);
  expect(waits).toBeGreaterThan(8 * maxBytes);

  const sink = new Sink();
  const bystander = new SendQueue(sink, maxBytes, TEST_OWNER, testPageTurns());
  while (bystander.offer(new Frame("d".repeat(20_000))));
  expect(sink.buffered).toBeGreaterThan(0.7 * maxBytes);

  // Whoever reads, or goes, gives the share back.
  expect(mallory.backlogged).toBe(SOCKETS);
  for (const [i, each] of sockets.entries()) {
    each.sink.buffered = 0;
    if (i % 2 === 0) each.sendQueue.drained();
    else each.sendQueue.close();
  }
  expect(mallory.backlogged).toBe(0);
});

describe("frames that wait for the end of the turn", () => {
  /** A reader that takes everything while `isFree`, and writes down the frames of each write. */
  class Reader {
    buffered = 0;
    progress = 0;
    isFree = true;
    readonly writes: string[][] = [];

    send(frame: Frame): boolean {
      return this.sendTogether([frame]);
    }

    sendTogether(frames: readonly Frame[]): boolean {
      this.writes.push(frames.map(({ text }) => text.slice(0, 1)));
      if (this.isFree) return true;
      for (const { byteLength } of frames) this.buffered += byteLength;
      return false;
    }
  }

  function setUp(maxBytes = 1_048_576) {
    const sink = new Reader();
    const pendingWrites = new PendingWrites((error) => expect.fail(String(error)));
    let backlogs = 0;
    const owner = { onBacklog: () => void backlogs++, onFailure: TEST_OWNER.onFailure };
    const sendQueue = new SendQueue(sink, maxBytes, owner, testPageTurns(), pendingWrites);
    const frame = (name: number | string, length = 100) => new Frame(`${name}`.padEnd(length, "."));
    return { sink, pendingWrites, sendQueue, frame, backlogs: () => backlogs };
  }

  it("leave together and in order, replies, diffs and pages alike", async () => {
    const { sink, sendQueue, frame } = setUp();
    sendQueue.send(frame(1));
    expect(sendQueue.offer(frame(2))).toBe(true);
    sendQueue.start(pagesOf(sendQueue, [10]));
    sendQueue.send(frame(3));
    expect(sink.writes).toEqual([]);
    await setImmediate();
    expect(sink.writes).toEqual([["1", "2", "p", "3"]]);
    sendQueue.send(frame(4));
    await setImmediate();
    expect(sink.writes.slice(1)).toEqual([["4"]]);
  });

  it("leave with a write that is expected, and then no turn ends for them", async () => {
    const { sink, pendingWrites, sendQueue, frame } = setUp();
    sendQueue.expectWrite();
    sendQueue.send(frame(1));
    sendQueue.send(frame(2));
    expect(pendingWrites.size).toBe(0);
    expect(sink.writes).toEqual([]);
    sendQueue.write();
    expect(sink.writes).toEqual([["1", "2"]]);
    // Only that one was expected.
    sendQueue.send(frame(3));
    expect(pendingWrites.size).toBe(1);
    await setImmediate();
    expect(sink.writes).toEqual([["1", "2"], ["3"]]);
  });

  it("leave at once when they are more than 64 KiB, or more than may wait", () => {
    const { sink, sendQueue, frame } = setUp();
    sendQueue.send(frame(1, 40_000));
    sendQueue.send(frame(2, 30_000));
    expect(sink.writes).toEqual([["1", "2"]]);
    const small = setUp(1_000);
    for (let n = 0; n < 9; n++) small.sendQueue.send(frame(n, 300));
    expect(small.sink.writes.flat().length).toBeGreaterThanOrEqual(6);
    expect(small.sendQueue.isFull).toBe(false);
  });

  it("count among the bytes that wait: a reader that takes nothing gets no more of what may be left out", async () => {
    const { sink, sendQueue, frame, backlogs } = setUp(100_000);
    sink.isFree = false;
    let offered = 0;
    for (let n = 0; n < 50; n++) if (sendQueue.offer(frame(n, 5_000))) offered++;
    await setImmediate();
    expect(sink.buffered).toBe(5_000 * offered);
    expect(sink.buffered).toBeLessThanOrEqual(75_000);
    expect(backlogs()).toBeGreaterThan(0);
    // A reader that takes all of it at once is not slow, however much that was.
    sink.isFree = true;
    sink.buffered = 0;
    sendQueue.drained();
    for (let n = 0; n < 50; n++) expect(sendQueue.offer(frame(n, 5_000))).toBe(true);
  });

  it("leave before the queue is closed, and nothing after that", async () => {
    const { sink, sendQueue, frame, pendingWrites } = setUp();
    sendQueue.send(frame(1));
    sendQueue.send(frame(2));
    sendQueue.close();
    expect(sink.writes).toEqual([["1", "2"]]);
    sendQueue.send(frame(3));
    expect(sendQueue.offer(frame(4))).toBe(false);
    await setImmediate();
    expect([sink.writes.length, pendingWrites.size]).toEqual([1, 0]);
  });

  it.each(["send", "offer", "close"] as const)(
    "that cannot be written end their reader, and not what has called `%s`",
    async (method) => {
      const failures: unknown[] = [];
      const owner = { onBacklog: () => {}, onFailure: (error: unknown) => void failures.push(error) };
      const pendingWrites = new PendingWrites((error) => expect.fail(String(error)));
      const sink = new Reader();
      const error = new Error("a defect");
      sink.sendTogether = () => {
        throw error;
      };
      const sendQueue = new SendQueue(sink, 1_048_576, owner, testPageTurns(), pendingWrites);
      const other = setUp();
      sendQueue.send(new Frame("1"));
      if (method === "close") sendQueue.close();
      else sendQueue[method](new Frame("2".repeat(900_000)));
      other.sendQueue.send(other.frame(1));
      await setImmediate();
      expect(failures).toEqual(method === "offer" ? [error, error] : [error]);
      expect(pendingWrites.size).toBe(0);
      await setImmediate();
      expect(other.sink.writes).toEqual([["1"]]);
    },
  );
});
