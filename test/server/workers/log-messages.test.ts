import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_BATCH_OPS } from "../../../src/server/cluster/write-buffer.ts";
import { encodeCall, type LogRequest, parseWorkerMessage } from "../../../src/server/workers/log-messages.ts";
import { runs } from "../../support/seed.ts";

const op = { kind: "open", sessionId: "s", text: "é [1]" } as const;
const REQUESTS: readonly LogRequest[] = [
  { do: "readStatus", at: undefined },
  { do: "readStatus", at: "17-0" },
  { do: "scan", from: "profiles 4" },
  { do: "join", writer: "w", leaseMs: 33.5, nodeId: "n 1", formerly: ["v"] },
  { do: "append", writer: "w", seq: 4, ops: [op, { ...op, kind: "profile" }] },
  { do: "append", writer: "w", seq: 1, ops: [] },
  { do: "evict", writer: "w", seq: undefined },
  { do: "evict", writer: "w", seq: 9 },
  { do: "forget", writer: "w" },
  { do: "follow", after: "0-0" },
];

/** As it arrives. */
const sent = (message: unknown): unknown => JSON.parse(JSON.stringify(message));

it.each(REQUESTS)("a call arrives as it was made: %j", (request) => {
  const call = { id: 3, shard: 2, request };
  expect(parseWorkerMessage(sent([7, encodeCall(call)]))).toEqual({ acknowledged: 7, calls: [call] });
});

const name = "x".repeat(65);
const bad = (...call: unknown[]) => [0, [1, 0, ...call]];
describe("what no worker sends is not read", () => {
  it.each<unknown[]>([
    ["readStatus", 5],
    ["readStatus", "x".repeat(65)],
    ["scan"],
    ["join", name, 1_000, "n", []],
    ["join", "w", 0, "n", []],
    ["join", "w", 1e9, "n", []],
    ["join", "w", 1_000, null, []],
    ["join", "w", 1_000, "n", ["a b"]],
    ["join", "w", 1_000, "n", Array(17).fill("v")],
    ["append", "w", -1, []],
    ["append", "w", 0.5, []],
    ["append", "w", 1, "open"],
    ["append", "w", 1, ["open", "s"]],
    ["append", "w", 1, ["claim", "s", "text"]],
    ["append", "w", 1, ["open", 5, "text"]],
    ["append", "w", 1, ["open", "s", null]],
    ["append", "w", 1, ["open", "s".repeat(4_097), "text"]],
    ["append", "w", 1, ["open", "s", "x".repeat(131_073)]],
    ["append", "w", 1, Array(3 * MAX_BATCH_OPS + 3).fill("open")],
    [
      "append",
      "w",
      1,
      Array(60)
        .fill(["open", "s", "x".repeat(131_000)])
        .flat(),
    ],
    ["evict", "w", "1"],
    ["evict", "a b", 1],
    ["forget", 4],
    ["follow", null],
    ["toString"],
    [{}],
  ])("%j", (...call) => {
    const parsed = parseWorkerMessage(bad(...call));
    expect(parsed).toMatchObject({ calls: [{ id: 1, problem: expect.stringContaining("not allowed") }] });
  });

  it.each([
    [null, "not a list"],
    ["text", "not a list"],
    [{}, "not a list"],
    [[], "without the number"],
    [[-1], "without the number"],
    [[0, ...Array(1_025).fill([])], "too many calls"],
  ])("%j", (message, problem) => {
    expect(parseWorkerMessage(message)).toContain(problem);
  });

  it.each([[[0, null]], [[0, [0.5, 0, "scan", "0"]]], [[0, [1, "0", "scan", "0"]]]])("%j", (message) => {
    expect(parseWorkerMessage(message)).toMatchObject({ calls: [{ problem: expect.any(String) }] });
  });

  it("whatever it is", () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), (one, other) => {
        parseWorkerMessage(one);
        const what = fc.sample(fc.constantFrom(...REQUESTS.map((request) => request.do)), 1);
        parseWorkerMessage([0, [1, 0, ...what, one, other, one, other], [1, 0, one, other]]);
      }),
      { numRuns: runs(2_000) },
    );
  });
});
