import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { Log, Op } from "../../../src/server/cluster/log.ts";
import { createCollector } from "../../../src/server/internals/force-collection.ts";
import { isCursor, MemoryLog, type MemoryLogOptions } from "../../../src/server/workers/memory-log.ts";
import { MAX_PROFILES, testLog } from "../cluster/log-contract.ts";

const LIMITS: MemoryLogOptions = {
  maxLength: 1_000,
  maxLogBytes: 16 * 1024 * 1024,
  maxRowBytes: 16 * 1024 * 1024,
  maxProfiles: MAX_PROFILES,
};

/** As many turns a read waits for entries. */
const MAX_TURNS = 20;

/** A log in memory as nodes have it. */
function asLog(log: MemoryLog): Log {
  return {
    ended: new Promise<never>(() => {}),
    readStatus: async (command) => log.readStatus(command),
    scan: async (command) => log.scan(command),
    join: async (command) => log.join(command),
    append: async (command) => log.append(command, Date.now()),
    evict: async (command) => log.evict(command),
    forget: async (command) => log.forget(command),
    read: async (after) => {
      for (let turns = 0; turns < MAX_TURNS && !log.hasAfter(after); turns++) await turn();
      return log.read(after);
    },
    close: () => {},
  };
}

testLog("a log in memory", {
  makeLog: async () => {
    const log = asLog(new MemoryLog(LIMITS));
    return { at: () => log };
  },
});

/** A log with a writer "w", and what appends to it. */
function written(limits: Partial<MemoryLogOptions> = {}) {
  const log = new MemoryLog({ ...LIMITS, ...limits });
  log.join({ do: "join", writer: "w", leaseMs: 1_000, nodeId: "n", formerly: [] });
  let seq = 0;
  const append = (ops: readonly Op[]) => log.append({ do: "append", writer: "w", seq: ++seq, ops }, 0);
  return { log, append };
}

const open = (sessionId: string, text = "x"): Op => ({ kind: "open", sessionId, text });
const end = (sessionId: string): Op => ({ kind: "end", sessionId, text: "x" });

describe("what a log in memory keeps is bounded", () => {
  it("in entries: who reads on from one that was trimmed sees a gap", () => {
    const { log, append } = written({ maxLength: 100 });
    for (let i = 0; i < 5_000; i++) append([]);
    expect(log.sizes.entries).toBe(100);
    expect(log.read("17-0")[0]).toMatchObject({ count: 4_902, seq: 4_901 });
    expect(log.readStatus({ do: "readStatus", at: "17-0" }).found).toBeUndefined();
    expect(log.readStatus({ do: "readStatus", at: "4902-0" }).found).toMatchObject({ count: 4_902 });
    expect(log.readStatus({ do: "readStatus", at: "5002-0" }).found).toBeUndefined();
    expect(log.read("5001-0")).toEqual([]);
    expect(log.read("no id")).toEqual([]);
  });

  it("in bytes of the log, of which it has no more than it counts", () => {
    const { log, append } = written({ maxLength: 1e6, maxLogBytes: 4 * 1024 * 1024 });
    for (let i = 0; i < 3_000; i++) append([open(`s${i % 10}`, "é".repeat(2_000) + i), open(`t${i % 10}`)]);
    expect(log.sizes.logBytes).toBeLessThanOrEqual(4 * 1024 * 1024);
    expect(log.sizes.entries).toBeGreaterThan(800);
    expect(log.sizes.entries).toBeLessThan(1_100);
    // One that is larger than the bound is all that it keeps.
    append(Array.from({ length: 30 }, (_, i) => open(`u${i}`, "x".repeat(100_000))));
    expect(log.sizes.entries).toBe(1);
    append([]);
    expect(log.sizes).toMatchObject({ entries: 1, logBytes: expect.toSatisfy((bytes) => bytes < 1_000) });
  });

  it.each([
    ["rows of small sessions", 40_000, 60, 0],
    ["rows of large sessions", 2_000, 4_000, 0],
    ["entries with small changes", 10, 60, 40_000],
    ["entries with large changes", 10, 4_000, 2_000],
  ])("by a measure that V8 does not exceed: %s", async (_, sessions, chars, changes) => {
    const collect = createCollector();
    const limits = { maxLength: 1e6, maxLogBytes: 1e9, maxRowBytes: 1e9 };
    // What earlier tests have left goes in several turns.
    for (let turns = 0; turns < 3; turns++) {
      await turn();
      collect();
    }
    const before = process.memoryUsage().heapUsed;
    const { log, append } = written(limits);
    // As they come from another process: texts of their own.
    const fresh = (text: string): string => JSON.parse(JSON.stringify(text));
    for (let i = 0; i < Math.max(sessions, changes); i++)
      append([
        open(fresh(`session-${String(i % sessions).padStart(13, "0")}`), fresh("x".repeat(chars) + i)),
      ]);
    collect();
    const used = process.memoryUsage().heapUsed - before;
    const { logBytes, rowBytes } = log.sizes;
    // Two bytes are counted for each character, and rows share their text with the log.
    expect(used).toBeLessThanOrEqual(logBytes + rowBytes);
  });

  it("in bytes of the rows: a full log does ends only, and says so", () => {
    const { log, append } = written({ maxRowBytes: 10_000 });
    let opened = 0;
    while (append([open(`s${opened}`, "x".repeat(100))]).isFull !== true) opened++;
    expect(opened).toBeGreaterThan(10);
    expect(log.sizes).toMatchObject({ rows: opened, rowBytes: expect.toSatisfy((bytes) => bytes <= 10_000) });
    expect(append([end("s0"), open("another", "x".repeat(100))])).toMatchObject({ isFull: true });
    expect(log.read("0-0").at(-1)).toMatchObject({ isFull: true, records: ["s0", "x"] });
    expect(append([open("another", "x".repeat(100))])).not.toHaveProperty("isFull");
    expect(append([])).not.toHaveProperty("isFull");
  });

  it("in writers that are evicted: the first ones are forgotten", () => {
    const log = new MemoryLog(LIMITS);
    for (let i = 0; i < 3_000; i++) {
      const formerly = i === 0 ? [] : [`w${i - 1}`];
      expect(log.join({ do: "join", writer: `w${i}`, leaseMs: 1_000, nodeId: "n", formerly }).ok).toBe(true);
      log.evict({ do: "evict", writer: `stranger${i}`, seq: undefined });
    }
    expect(log.sizes.writers).toBe(1_025);
    expect(log.isAlive("w2999")).toBe(true);
    const holder = { ok: false, holder: "w2999" };
    expect(log.join({ do: "join", writer: "other", leaseMs: 1_000, nodeId: "n", formerly: [] })).toEqual(
      holder,
    );
  });

  it("and everything that goes is counted as gone", () => {
    const { log, append } = written();
    const before = log.sizes;
    const profile = (version: number, text = "") => ({
      kind: "profile" as const,
      sessionId: "u",
      text: `[1,"app","u","profile",${version},${version === 3 ? 0 : 9e12},"busy","${text}",null,null,null]`,
    });
    append([open("s"), open("t", "x".repeat(500)), profile(1)]);
    append([open("t", "é"), profile(2, "a status")]);
    append([end("s"), end("t"), profile(3)]);
    expect(log.sizes).toMatchObject({ rows: 0, profiles: 0, rowBytes: before.rowBytes });
  });
});

it("a profile that is no record is not kept", () => {
  const { log, append } = written();
  for (const text of ["", "[]", "[1]", '[1,"app","u","profile","one",5]', '[1,"app","u","profile",1,null]'])
    append([{ kind: "profile", sessionId: "u", text }]);
  expect(log.sizes.profiles).toBe(0);
});

it("a writer whose process has ended is evicted, whatever it wrote last", () => {
  const { log, append } = written();
  append([open("s")]);
  log.drop("w");
  log.drop("w");
  log.drop("nobody");
  expect(log.isAlive("w")).toBe(false);
  expect(log.read("2-0")).toEqual([{ id: "3-0", count: 3, kind: "evict", writer: "w" }]);
});

it("cursors are those that a scan returns, and the first", () => {
  const { log, append } = written();
  append([open("s")]);
  const { next } = log.scan({ do: "scan", from: "0" });
  expect(["0", next!].map(isCursor)).toEqual([true, true]);
  for (const text of ["", "-1", "x", "profiles ", "profiles x", "1e9", " 1"]) {
    expect(isCursor(text)).toBe(false);
    expect(() => log.scan({ do: "scan", from: text })).toThrow("no cursor");
  }
});
