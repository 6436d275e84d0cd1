import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { Log } from "../../../src/server/cluster/log.ts";
import { runs } from "../../support/seed.ts";
import { serveLogs } from "./served-logs.ts";

const join = (writer: string, nodeId: string, formerly: readonly string[] = []) =>
  ({ do: "join", writer, leaseMs: 10_000, nodeId, formerly }) as const;
const open = (writer: string, seq: number, sessionId = "s") =>
  ({ do: "append", writer, seq, ops: [{ kind: "open", sessionId, text: "[1]" }] }) as const;
const STATUS = { do: "readStatus", at: undefined } as const;

/** What can be seen of a log. */
async function stateOf(log: Log) {
  return [await log.readStatus(STATUS), await log.read("0-0"), await log.scan({ do: "scan", from: "0" })];
}

/** A worker that has joined as "a", and has a session. */
async function oneWorker(options = {}) {
  const served = serveLogs(options);
  const worker = served.start("node a");
  const log = await worker.client.open(0);
  await log.join(join("a", "node a"));
  await log.append(open("a", 1));
  return { ...served, ...worker, log };
}

describe("a worker", () => {
  it("is evicted at once when its channel closes, and the others are told", async () => {
    const { worker, start } = await oneWorker();
    const other = await start("node b").client.open(0);
    const { end } = await other.readStatus(STATUS);
    const read = other.read(end.id);
    worker.close();
    expect(await read).toMatchObject([{ kind: "evict", writer: "a" }]);
    // Its sessions are there to be taken over.
    expect((await other.scan({ do: "scan", from: "0" })).rows).toEqual([
      { sessionId: "s", owner: "a", text: "[1]" },
    ]);
  });

  it("whose process is started again is served in place of the one before", async () => {
    const { worker, start, log, server } = await oneWorker();
    const again = await start("node a").client.open(0);
    expect(await again.join(join("a2", "node a"))).toMatchObject({ ok: true, logId: "a" });
    // What the one before still sends has no effect, nor has the end of its channel.
    const late = log.append(open("a", 2));
    late.catch(() => {});
    await again.append(open("a2", 1, "t"));
    worker.close();
    await expect(late).rejects.toThrow("the first process has ended");
    const { register } = await again.readStatus(STATUS);
    expect(register.map(({ writer, seq }) => [writer, seq])).toEqual([
      ["a", undefined],
      ["a2", 1],
    ]);
    expect(server.sizes).toMatchObject([{ rows: 2 }]);
  });

  it.each([
    ["joins with the node id of another", (log: Log) => log.join(join("a2", "node b"))],
    ["joins under the name of another", (log: Log) => log.join(join("b", "node a"))],
    ["writes under the name of another", (log: Log) => log.append(open("b", 2))],
    ["writes under a name that it has not joined as", (log: Log) => log.append(open("c", 1))],
    ["goes on with a scan that nobody began", (log: Log) => log.scan({ do: "scan", from: "nowhere" })],
  ])("that %s is refused, and nothing changes", async (_, act) => {
    const { log, start, problems, server } = await oneWorker();
    const other = await start("node b").client.open(0);
    await other.join(join("b", "node b"));
    await other.append(open("b", 1, "t"));
    const before = await stateOf(other);
    await expect(act(log)).rejects.toThrow("the first process refuses a call");
    expect(problems).toHaveLength(1);
    expect(server.counts.badMessages).toBe(1);
    expect(await stateOf(other)).toEqual(before);
  });

  it("that says that others were it before does not evict them", async () => {
    const { log, start } = await oneWorker();
    const other = await start("node b").client.open(0);
    await other.join(join("b", "node b", ["a"]));
    expect(await log.append(open("a", 2))).toEqual({ count: 4, seq: 2 });
    // Its own name before is another thing.
    await other.join(join("b2", "node b", ["b"]));
    expect(await other.append(open("b", 1))).toEqual({ count: 6, seq: undefined });
  });

  it("that names a shard that there is not is refused", async () => {
    const { client, problems } = await oneWorker();
    await expect(client.open(1)).rejects.toThrow("a shard that there is not");
    expect(problems).toEqual(["node a: a call about a shard that there is not"]);
  });

  it("that asks for too much at once gets nothing, does nothing more, and harms nobody else", async () => {
    const { server, connect, misbehaved, start } = serveLogs();
    const other = await start("node b").client.open(0);
    await other.join(join("b", "node b"));
    const text = "x".repeat(100_000);
    for (let seq = 1; seq <= 10; seq++) {
      const ops = [{ kind: "open", sessionId: `s${seq}`, text }] as const;
      await other.append({ do: "append", writer: "b", seq, ops });
    }
    const { worker, primary } = connect("node a");
    const scans = Array.from({ length: 1_000 }, (_, i) => [i + 2, 0, "scan", "0"]);
    worker.send([
      0,
      [1, 0, "join", "a", 1_000, "node a", []],
      ...scans,
      [2_000, 0, "append", "a", 1, ["open", "mine", "[1]"]],
      [2_001, 0, "forget", "b"],
    ]);
    await turn();
    await turn();
    expect(misbehaved).toEqual(["node a: it asks for more than it takes"]);
    expect(primary.sent).toEqual([]);
    // The join came before.
    expect(server.counts.calls).toBeLessThan(1_000);
    const { register } = await other.readStatus(STATUS);
    expect(register.map(({ writer, seq }) => [writer, seq])).toEqual([
      ["b", 10],
      ["a", undefined],
    ]);
    expect(server.sizes).toMatchObject([{ rows: 10 }]);
    expect(await other.append(open("b", 11, "more"))).toMatchObject({ seq: 11 });
  });

  it("that does not take what it asks for is not served any more", async () => {
    const { server, connect, misbehaved, start } = serveLogs();
    const writer = await start("node b").client.open(0);
    await writer.join(join("b", "node b"));
    const text = "x".repeat(100_000);
    for (let seq = 1; seq <= 10; seq++)
      await writer.append({
        do: "append",
        writer: "b",
        seq,
        ops: [{ kind: "open", sessionId: `s${seq}`, text }],
      });
    const { worker, primary } = connect("node a");
    worker.send([0, [1, 0, "join", "a", 1_000, "node a", []]]);
    // It acknowledges nothing.
    for (let id = 2; misbehaved.length === 0 && id < 200; id++) {
      worker.send([0, [id, 0, "scan", "0"]]);
      await turn();
      await turn();
      await turn();
    }
    expect(misbehaved).toEqual(["node a: it asks for more than it takes"]);
    const told = primary.sent.length;
    worker.send([0, [1_000, 0, "scan", "0"]]);
    const { register } = await writer.readStatus(STATUS);
    expect(register.map(({ writer, seq }) => [writer, seq])).toEqual([
      ["b", 10],
      ["a", undefined],
    ]);
    expect(primary.sent).toHaveLength(told);
    expect(server.sizes).toMatchObject([{ rows: 10 }]);
  });
});

it("all answers to one worker in a turn are one message, and the same entries go to all that wait", async () => {
  const { start } = serveLogs();
  const workers = ["a", "b", "c"].map((nodeId) => start(nodeId));
  const logs = await Promise.all(workers.map(({ client }) => client.open(0)));
  await Promise.all(logs.map((log, i) => log.join(join(`w${i}`, "abc"[i]!))));
  const { end } = await logs[0]!.readStatus(STATUS);
  const sent = workers.map(({ primary }) => primary.sent.length);
  const reads = logs.map((log) => log.read(end.id));
  const appends = logs.map((log, i) =>
    Promise.all([log.append(open(`w${i}`, 1, `s${i}`)), log.append(open(`w${i}`, 2))]),
  );
  const [first, ...others] = await Promise.all(reads);
  await Promise.all(appends);
  expect(first).toHaveLength(6);
  for (const other of others) expect(other).toEqual(first);
  expect(workers.map(({ primary }, i) => primary.sent.length - sent[i]!)).toEqual([1, 1, 1]);
});

/** Two workers that read what comes. `pass` lets time pass, and what is sent arrive. */
async function twoReaders() {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  onTestFinished(() => void vi.useRealTimers());
  const { start } = serveLogs({ confirmMs: undefined });
  const pass = async (ms: number) => {
    for (const wait of [0, ms]) {
      vi.advanceTimersByTime(wait);
      for (let i = 0; i < 10; i++) await turn();
    }
  };
  const workers = ["a", "b"].map((name) => ({ ...start(name), name, read: [] as string[] }));
  const logs = await Promise.all(workers.map(({ client }) => client.open(0)));
  for (const [i, { name }] of workers.entries()) await logs[i]!.join(join(name, name));
  for (const [i, { read }] of workers.entries()) {
    const readOn = async (after: string): Promise<void> => {
      for (const { id } of await logs[i]!.read(after)) read.push(id);
      return await readOn(read.at(-1) ?? after);
    };
    // Until nobody answers any more.
    readOn("2-0").catch(() => {});
  }
  await pass(1_000);
  const [a, b] = workers.map((worker, i) => ({ ...worker, log: logs[i]! }));
  return { a: a!, b: b!, pass };
}

it("what only confirms what a worker has written goes at once after a while, and then together", async () => {
  const { a, b, pass } = await twoReaders();
  const sent = a.primary.sent.length;
  const first = a.log.append(open("a", 1));
  await pass(0);
  expect(await first).toEqual({ count: 3, seq: 1 });
  expect([a.read, b.read]).toEqual([["3-0"], ["3-0"]]);
  const others = [2, 3].map((seq) => a.log.append(open("a", seq)));
  await pass(10);
  expect([a.read, b.read]).toEqual([["3-0"], ["3-0", "4-0", "5-0"]]);
  expect(a.primary.sent).toHaveLength(sent + 1);
  await pass(40);
  expect(await Promise.all(others)).toMatchObject([{ seq: 2 }, { seq: 3 }]);
  expect(a.read).toEqual(b.read);
  expect(a.primary.sent).toHaveLength(sent + 2);
});

it("what others write does not wait for that, and brings it along", async () => {
  const { a, b, pass } = await twoReaders();
  const first = a.log.append(open("a", 1));
  await pass(10);
  expect(await first).toMatchObject({ seq: 1 });
  const sent = a.primary.sent.length;
  const second = a.log.append(open("a", 2));
  await pass(10);
  expect(a.primary.sent).toHaveLength(sent);
  const third = b.log.append(open("b", 1, "t"));
  await pass(10);
  expect(await second).toMatchObject({ seq: 2 });
  expect(a.read).toEqual(["3-0", "4-0", "5-0"]);
  expect(a.primary.sent).toHaveLength(sent + 1);
  await pass(50);
  expect(await third).toMatchObject({ seq: 1 });
});

it("no timer runs while nothing waits to be sent", async () => {
  const { a, b, pass } = await twoReaders();
  const first = a.log.append(open("a", 1));
  await pass(0);
  expect(await first).toMatchObject({ seq: 1 });
  expect([a.read, b.read]).toEqual([["3-0"], ["3-0"]]);
  expect(vi.getTimerCount()).toBe(0);
});

it("garbage changes nothing, and ends nothing", async () => {
  const { server, connect, start } = serveLogs({ badMessage: () => {} });
  const honest = await start("honest").client.open(0);
  await honest.join(join("h", "honest"));
  await honest.append(open("h", 1));
  const { worker } = connect("liar");
  const before = await stateOf(honest);
  const junk = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom("h", "honest", "liar", "s", "0-0", "1-0", 0, 1, 2, -1, null, [], "open", "forceEnd"),
  );
  const what = fc.constantFrom("readStatus", "scan", "join", "append", "evict", "forget", "follow", "close");
  const call = fc
    .tuple(fc.nat(9), fc.constantFrom(0, 0, 0, 1), what, fc.array(junk, { maxLength: 5 }))
    .filter(([, , kind, args]) => !isAllowed(kind, args))
    .map(([id, shard, kind, args]) => [id, shard, kind, ...args]);
  const message = fc.oneof(junk, fc.tuple(fc.nat(9), call), fc.tuple(junk, call, junk));
  await fc.assert(
    fc.asyncProperty(fc.array(message, { maxLength: 20 }), async (messages) => {
      for (const each of messages) worker.send(each);
      expect(await stateOf(honest)).toEqual(before);
    }),
    { numRuns: runs(300) },
  );
  expect(server.counts.badMessages).toBeGreaterThan(100);
  expect(server.sizes).toMatchObject([{ writers: 1, rows: 1 }]);
  expect(await honest.append(open("h", 2, "t"))).toEqual({ count: 3, seq: 2 });
});

/** Whether a call is one that any worker may make, and that has an effect. */
function isAllowed(kind: string, [first, second]: readonly unknown[]): boolean {
  if (kind === "join") return first !== "h" && typeof second === "number";
  return kind === "evict" && typeof first === "string";
}
