import { expect, it } from "vitest";
import { LocalKnowledge } from "../../../src/server/cluster/local-knowledge.ts";
import { Reconciler } from "../../../src/server/cluster/reconciler.ts";
import { RemoteNodes } from "../../../src/server/cluster/remote-nodes.ts";
import type { ShardPresence } from "../../../src/server/cluster/shard-presence.ts";
import { Writer } from "../../../src/server/cluster/writer.ts";

function knowledge() {
  const counts = new Map<string, number>();
  const presence = {
    countSessions: (appId: string, userId: string) => counts.get(`${appId} ${userId}`) ?? 0,
  } as ShardPresence;
  const remoteNodes = new RemoteNodes(1_000);
  const reconciler = new Reconciler();
  const writer = new Writer({
    presence: { setEpoch: () => {} },
    nodeId: "n",
    leaseMs: 10_000,
    intervalMs: 10,
    makeId: () => "own",
    wakeBy: () => {},
  });
  const node = new LocalKnowledge({ presence, remoteNodes, writer, reconciler });
  return { node, counts, remoteNodes, reconciler, writer };
}

it("a writer is registered until it is evicted, and unknown before", () => {
  const { node, remoteNodes } = knowledge();
  const states = () => [node.isRegistered("w"), node.isEvicted("w")];
  expect(states()).toEqual([false, false]);
  remoteNodes.joined("w", 1_000, "n2", 0);
  expect(states()).toEqual([true, false]);
  remoteNodes.evict("w", 0);
  expect(states()).toEqual([false, true]);
});

it("a name is this node's from the moment in which it asks for it", () => {
  const { node, writer } = knowledge();
  expect(node.wasWriter("own")).toBe(false);
  writer.linked();
  writer.step([], true, 0);
  expect([node.wasWriter("own"), node.wasWriter("other")]).toEqual([true, false]);
});

it("a write is unconfirmed until it is read back, and an override counts as sent once it is in a batch", () => {
  const { node, writer } = knowledge();
  const states = () => [
    node.hasUnconfirmedWrite("s"),
    node.hasUnconfirmedOverride("s"),
    node.hasSentOverride("s"),
  ];
  expect(states()).toEqual([false, false, false]);
  writer.writeEnd("end", "app", "s", "closed");
  expect(states()).toEqual([true, false, false]);
  writer.writeEnd("forceEnd", "app", "s", "kicked");
  expect(states()).toEqual([true, true, false]);
  const { seq } = writer.buffer.makeBatch(0);
  expect(states()).toEqual([true, true, true]);
  writer.buffer.confirm(seq);
  expect(states()).toEqual([false, false, false]);
});

it("sessions that have ended, and sessions that were named, are the reconciler's to know", () => {
  const { node, reconciler } = knowledge();
  reconciler.begin();
  expect([node.hasEnded("s"), node.hasHeard("s")]).toEqual([false, false]);
  reconciler.markEnded("s");
  reconciler.heard("s");
  expect([node.hasEnded("s"), node.hasHeard("s")]).toEqual([true, true]);
});

it("a user is full with more sessions than any node lets in", () => {
  const { node, counts } = knowledge();
  counts.set("app alice", 9_999);
  expect(node.hasTooManySessions("app", "alice")).toBe(false);
  counts.set("app alice", 10_000);
  expect([node.hasTooManySessions("app", "alice"), node.hasTooManySessions("app", "bob")]).toEqual([
    true,
    false,
  ]);
});
