import { describe, expect, it } from "vitest";
import { RemoteNodes } from "../../../src/server/cluster/remote-nodes.ts";

const WINDOW_MS = 5_000;
const LEASE_MS = 1_000;

function nodesOf(...writers: string[]): RemoteNodes {
  const nodes = new RemoteNodes(WINDOW_MS);
  for (const writer of writers) nodes.joined(writer, LEASE_MS, `node-${writer}`, 0);
  return nodes;
}

it("a node that joins is alive, and has written nothing yet", () => {
  const nodes = nodesOf("a");
  expect(nodes.get("a")).toMatchObject({ nodeId: "node-a", leaseMs: LEASE_MS, seq: 0, hasWritten: false });
  expect([nodes.alive, nodes.size]).toEqual([1, 1]);
  nodes.heardFrom("a", 3, 700);
  expect(nodes.get("a")).toMatchObject({ seq: 3, heardAt: 700, hasWritten: true });
});

it("a node that only a row names is known, but not alive, and has a lease of its own", () => {
  const nodes = nodesOf();
  expect(nodes.getOrAdd("a", 100)).toMatchObject({
    nodeId: "",
    leaseMs: 10_000,
    seq: undefined,
    heardAt: 100,
  });
  expect(nodes.getOrAdd("a", 200).heardAt).toBe(100);
  expect([nodes.alive, nodes.size]).toEqual([0, 1]);
});

it("the sessions of an evicted node can be taken over for the window, which begins once", () => {
  const nodes = nodesOf("a");
  nodes.evict("a", 100);
  nodes.evict("a", 900);
  expect(nodes.get("a")).toMatchObject({ seq: undefined, expireSessionsAt: 100 + WINDOW_MS });
  expect(nodes.alive).toBe(0);
  nodes.forget("a");
  expect(nodes.size).toBe(0);
});

describe("compared with the register", () => {
  const registered = (writer: string, seq: number | undefined) => ({
    writer,
    seq,
    leaseMs: 2_000,
    nodeId: `new-${writer}`,
  });

  it("nodes are added, updated and evicted", () => {
    const nodes = nodesOf("a", "b");
    const register = [registered("a", 4), registered("b", undefined), registered("c", 1)];
    expect(nodes.compare(register, 100)).toBe(true);
    expect(nodes.compare([...register, registered("d", undefined)], 100)).toBe(false);
    expect(nodes.get("a")).toMatchObject({ seq: 4, leaseMs: 2_000, nodeId: "new-a" });
    expect(nodes.get("b")).toMatchObject({ seq: undefined, expireSessionsAt: 100 + WINDOW_MS });
    expect(nodes.get("c")).toMatchObject({ seq: 1, heardAt: 100 });
  });

  it("a node that is missing there keeps its lease, as it may join again", () => {
    const nodes = nodesOf("a");
    nodes.compare([], 100);
    expect(nodes.get("a")).toMatchObject({ seq: undefined, leaseMs: LEASE_MS, expireSessionsAt: undefined });
    expect(nodes.alive).toBe(0);
  });

  it("an evicted node is back if the log has gone back", () => {
    const nodes = nodesOf("a");
    nodes.evict("a", 0);
    nodes.compare([registered("a", 2)], 100);
    expect(nodes.get("a")).toMatchObject({ seq: 2, expireSessionsAt: undefined });
    expect(nodes.alive).toBe(1);
  });
});

it("leases and windows begin again when this node could hear nobody", () => {
  const nodes = nodesOf("a", "b");
  nodes.evict("b", 100);
  nodes.restartLeases(10_000);
  expect(nodes.get("a")).toMatchObject({ heardAt: 10_000, expireSessionsAt: undefined });
  expect(nodes.get("b")).toMatchObject({ expireSessionsAt: 10_000 + WINDOW_MS });
});

it("the rank of a node is how many live nodes have a name before it", () => {
  const nodes = nodesOf("a", "c", "e");
  expect(["a", "b", "d", "f"].map((writer) => nodes.rank(writer))).toEqual([0, 1, 2, 3]);
  nodes.evict("a", 0);
  expect(nodes.rank("d")).toBe(1);
});
