import { describe, expect, it } from "vitest";
import { MAX_RECORD_CHARS } from "../../../src/server/cluster/record.ts";
import { parseEntry, parseRegister, parseRows } from "../../../src/server/cluster/redis-entry.ts";

const ID = "1-0";
const TOO_LONG = "x".repeat(MAX_RECORD_CHARS + 1);

describe("an entry", () => {
  it("is a batch, with what was done", () => {
    expect(parseEntry(ID, ["batch", "7 3 w", "s1", "[1]", "s2", "[2]"])).toEqual({
      id: ID,
      kind: "batch",
      count: 7,
      writer: "w",
      seq: 3,
      records: ["s1", "[1]", "s2", "[2]"],
    });
    expect(parseEntry(ID, ["batch", "7 3 w full"])).toMatchObject({ records: [], isFull: true });
  });

  it("is a node that joins, whose id may have spaces, or one that is evicted", () => {
    expect(parseEntry(ID, ["join", "7 10000 w a node"])).toEqual({
      id: ID,
      kind: "join",
      count: 7,
      writer: "w",
      leaseMs: 10_000,
      nodeId: "a node",
    });
    expect(parseEntry(ID, ["bury", "7 w"])).toEqual({ id: ID, kind: "evict", count: 7, writer: "w" });
  });

  it("of a later version has its place in the log, and no more", () => {
    expect(parseEntry(ID, ["later", "7 x y z"])).toEqual({ id: ID, kind: "unknown", count: 7 });
  });

  it.each<[string, unknown]>([
    ["null", null],
    ["a text", "batch"],
    ["no header", ["batch"]],
    ["a header that is a number", ["batch", 7]],
    ["a long header", ["batch", `7 3 w ${"x".repeat(2_000)}`]],
    ["no count", ["batch", "x 3 w"]],
    ["a negative count", ["batch", "-7 3 w"]],
    ["a count that is no safe integer", ["batch", "9007199254740993 3 w"]],
    ["no number of the batch", ["batch", "7"]],
    ["a writer with other characters", ["batch", "7 3 a/b"]],
    ["a long writer", ["batch", `7 3 ${"w".repeat(65)}`]],
    ["a record that is a number", ["batch", "7 3 w", "s", 1]],
    ["more fields than are written", ["batch", "7 3 w", ...Array(8_192).fill("x")]],
    ["no lease", ["join", "7 x w n"]],
    ["nobody to evict", ["bury", "7"]],
  ])("that no node wrote is bad: %s", (_name, fields) => {
    expect(parseEntry(ID, fields)).toEqual({ id: ID, kind: "bad" });
  });

  it("keeps no text that is longer than a record", () => {
    expect(parseEntry(ID, ["batch", "7 3 w", "s1", TOO_LONG, "s2", "[2]"])).toMatchObject({
      records: ["s1", "", "s2", "[2]"],
    });
  });
});

it("rows have an owner and a record; what has not is left out", () => {
  const fields = [
    "s1",
    "w [1]",
    "s2",
    "no-record",
    "s3",
    " [3]",
    "s4",
    4,
    "s5",
    `w ${TOO_LONG}`,
    "s6",
    "w a b",
    "odd",
  ];
  expect(parseRows(fields)).toEqual([
    { sessionId: "s1", owner: "w", text: "[1]" },
    { sessionId: "s5", owner: "w", text: "" },
    { sessionId: "s6", owner: "w", text: "a b" },
  ]);
  expect(parseRows(null)).toEqual([]);
});

it("the register has writers, those among them that were evicted, and nothing else", () => {
  const writerA = ["s:a", "5", "l:a", "10000", "n:a", "node a", "i:node a", "a"];
  const writerB = ["s:b", "x", "l:b", "oops"];
  expect(parseRegister(["count", "9", ...writerA, ...writerB, "s:a/b", "1", "l:c", "1"])).toEqual([
    { writer: "a", seq: 5, leaseMs: 10_000, nodeId: "node a" },
    { writer: "b", seq: undefined, leaseMs: 0, nodeId: "" },
  ]);
  expect(parseRegister(undefined)).toEqual([]);
});
