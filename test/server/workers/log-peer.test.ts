import { expect, it } from "vitest";
import { LogPeer } from "../../../src/server/workers/log-peer.ts";
import { MemoryLog } from "../../../src/server/workers/memory-log.ts";

function peerOf() {
  const sent: unknown[] = [];
  const channel = {
    send: (message: unknown) => void sent.push(message),
    onMessage: () => {},
    onClose: () => {},
  };
  return { peer: new LogPeer(channel, "n", 2, 50), sent };
}

it("answers go as one message, in their order", () => {
  const { peer, sent } = peerOf();
  peer.answer(4, true);
  peer.refuse(5, "it is not allowed");
  expect([peer.send(0), peer.send(0)]).toEqual([true, false]);
  peer.answer(6, null);
  peer.send(0);
  expect(sent).toEqual([
    [1, 0, [4, true], [5, null, "it is not allowed"]],
    [2, 0, [6, null]],
  ]);
});

it("an answer that may wait is not urgent, and is sent with the next one", () => {
  const { peer, sent } = peerOf();
  peer.answer(1, true);
  peer.send(100);
  expect(peer.dueAt(120)).toBe(Number.POSITIVE_INFINITY);
  peer.answer(2, { count: 1, seq: 1 }, false);
  expect(peer.dueAt(120)).toBe(150);
  peer.tellNews();
  expect(peer.dueAt(120)).toBe(120);
  peer.answer(3, true);
  expect(peer.dueAt(120)).toBe(Number.NEGATIVE_INFINITY);
  peer.push([]);
  peer.send(110);
  expect(peer.dueAt(120)).toBe(Number.POSITIVE_INFINITY);
  expect(sent).toHaveLength(2);
});

/** A log with so many batches, each with so much text. */
function logOf(batches: number, chars: number): MemoryLog {
  const log = new MemoryLog({ maxLength: 1_000, maxLogBytes: 1e9, maxRowBytes: 1e9, maxProfiles: 10 });
  log.join({ do: "join", writer: "w", leaseMs: 1_000, nodeId: "n", formerly: [] });
  const ops = [{ kind: "open", sessionId: "s", text: "x".repeat(chars) }] as const;
  for (let seq = 1; seq <= batches; seq++) log.append({ do: "append", writer: "w", seq, ops }, 0);
  return log;
}

it("entries are pushed from the one after that is asked for, each once", () => {
  const { peer, sent } = peerOf();
  const logs = [logOf(3, 1), logOf(1, 1)];
  peer.follow(1, 0, "2-0");
  peer.follow(2, 1, "2-0");
  for (let times = 0; times < 2; times++) {
    peer.push(logs);
    peer.send(0);
  }
  expect(sent).toMatchObject([[1, 0, [1, [{ count: 3 }, { count: 4 }]]]]);
  // Another call about the shard takes the place of the first one.
  peer.follow(3, 0, "3-0");
  peer.push(logs);
  peer.send(0);
  expect(sent[1]).toMatchObject([2, 0, [3, [{ count: 4 }]]]);
});

it("a worker that has heard nothing for a while is told that there is nothing", () => {
  const { peer, sent } = peerOf();
  peer.follow(1, 0, "0-0");
  peer.remind();
  peer.send(0);
  expect(sent).toEqual([]);
  peer.remind();
  peer.send(0);
  expect(sent).toEqual([[1, 0, [1, []]]]);
});

it("entries wait while the worker does not take in what is on its way, and it is asked whether it did", () => {
  const { peer, sent } = peerOf();
  const logs = [logOf(100, 100_000)];
  peer.follow(1, 0, "0-0");
  for (let times = 0; times < 10; times++) {
    peer.push(logs);
    peer.send(0);
  }
  expect(sent).toHaveLength(1);
  expect((sent[0] as unknown[]).slice(0, 2)).toEqual([1, 1]);
  expect(peer.waitingChars).toBeGreaterThan(4e6);
  expect(peer.waitingChars).toBeLessThan(6e6);
  for (let number = 1; number <= 3; number++) {
    peer.acknowledge(number);
    peer.push(logs);
    peer.send(0);
  }
  const entries = sent
    .flatMap((message) => (message as [number, number, ...[number, { count: number }[]][]]).slice(2))
    .flatMap((answer) => (answer as [number, { count: number }[]])[1].map(({ count }) => count));
  expect(entries).toEqual(Array.from({ length: 101 }, (_, i) => i + 1));
});

it("knows how much text waits or is on its way, of each kind of reply", () => {
  const { peer } = peerOf();
  const entry = {
    id: "1-0",
    kind: "batch",
    count: 1,
    writer: "w",
    seq: 1,
    records: ["s", "x".repeat(1_000)],
  };
  const ended = { id: "2-0", kind: "evict", count: 2, writer: "w" } as const;
  peer.answer(1, [{ ...entry, kind: "batch" }, ended]);
  peer.answer(2, { next: undefined, rows: [{ sessionId: "s", owner: "w", text: "x".repeat(2_000) }] });
  const first = peer.waitingChars;
  peer.send(0);
  expect(peer.waitingChars).toBe(first);
  expect(first).toBeGreaterThan(3_000);
  expect(first).toBeLessThan(4_000);
  const register = Array(50).fill({ writer: "w", seq: 1, leaseMs: 1_000, nodeId: "n" });
  peer.answer(3, { end: { count: 1, id: "1-0" }, found: undefined, register });
  peer.send(0);
  expect(peer.waitingChars).toBeGreaterThan(first + 5_000);
  peer.acknowledge(1);
  expect(peer.waitingChars).toBeGreaterThan(5_000);
  expect(peer.waitingChars).toBeLessThan(first + 5_000);
  peer.acknowledge(0);
  peer.acknowledge(9);
  expect(peer.waitingChars).toBe(0);
});

it("has its names, the latest of them, in each shard its own", () => {
  const { peer } = peerOf();
  for (let i = 0; i < 100; i++) peer.addName(0, `w${i}`);
  expect([...peer.names(0)]).toHaveLength(64);
  expect([peer.isNamed(0, "w99"), peer.isNamed(0, "w0"), peer.isNamed(1, "w99")]).toEqual([
    true,
    false,
    false,
  ]);
});
