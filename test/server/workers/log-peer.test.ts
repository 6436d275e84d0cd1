import { expect, it } from "vitest";
import { LogPeer } from "../../../src/server/workers/log-peer.ts";

function peerOf() {
  const sent: unknown[] = [];
  const channel = {
    send: (message: unknown) => void sent.push(message),
    onMessage: () => {},
    onClose: () => {},
  };
  return { peer: new LogPeer(channel, "n", 2), sent };
}

it("answers go as one message, in their order", () => {
  const { peer, sent } = peerOf();
  peer.answer(4, true);
  peer.refuse(5, "it is not allowed");
  peer.send();
  peer.send();
  peer.answer(6, null);
  peer.send();
  expect(sent).toEqual([
    [1, [4, true], [5, null, "it is not allowed"]],
    [2, [6, null]],
  ]);
});

it("one read waits for each shard: a later one takes its place, and it is answered with nothing", () => {
  const { peer, sent } = peerOf();
  peer.wait(1, 0, "5-0");
  peer.wait(2, 1, "5-0");
  peer.wait(3, 0, "6-0");
  peer.send();
  expect(sent).toEqual([[1, [1, []]]]);
  expect(peer.reads.get(0)).toMatchObject({ id: 3, after: "6-0" });
  expect(peer.reads.get(1)).toMatchObject({ id: 2, after: "5-0" });
});

it("knows how much text is on its way, of each kind of reply", () => {
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
  expect(peer.unacknowledgedChars).toBe(0);
  peer.send();
  const first = peer.unacknowledgedChars;
  expect(first).toBeGreaterThan(3_000);
  expect(first).toBeLessThan(4_000);
  const register = Array(50).fill({ writer: "w", seq: 1, leaseMs: 1_000, nodeId: "n" });
  peer.answer(3, { end: { count: 1, id: "1-0" }, found: undefined, register });
  peer.send();
  expect(peer.unacknowledgedChars).toBeGreaterThan(first + 5_000);
  peer.acknowledge(1);
  expect(peer.unacknowledgedChars).toBeGreaterThan(5_000);
  expect(peer.unacknowledgedChars).toBeLessThan(first + 5_000);
  peer.acknowledge(0);
  peer.acknowledge(9);
  expect(peer.unacknowledgedChars).toBe(0);
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
