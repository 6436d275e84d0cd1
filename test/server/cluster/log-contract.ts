import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import type {
  Command,
  Entry,
  JoinReply,
  Log,
  Op,
  ScanBatch,
  ScannedRow,
} from "../../../src/server/cluster/log.ts";
import { runs } from "../../support/seed.ts";
import { until } from "../../support/until.ts";
import { ModelLog } from "./model-log.ts";

/** How many profiles the logs keep that are tested. */
export const MAX_PROFILES = 100;

/** An empty log that keeps `MAX_PROFILES` and 1,000 entries or more. */
export interface LogUnderTest {
  /** The log as the node of a writer reaches it. */
  at(writer: string): Log;
}

export interface LogContractOptions {
  readonly makeLog: () => Promise<LogUnderTest>;
  /** A writer joins with the node id that its name begins with, and names no writer of another node. */
  readonly isStrict?: boolean;
}

const sessionId = fc.constantFrom("s1", "s2", "__proto__", "a b", "é\u0000\n");
const op = fc.record({
  kind: fc.constantFrom("open", "patch", "takeover", "end", "forceEnd"),
  sessionId,
  text: fc.constantFrom("[1]", "{}", "ü x", ""),
});
/** Kept until far in the future, so that no clock decides. */
const profileOp = fc
  .record({ user: fc.constantFrom("u1", "u2"), version: fc.integer({ min: 1, max: 4 }) })
  .map(({ user, version }) => ({
    kind: "profile" as const,
    sessionId: `["app","${user}"]`,
    text: `[1,"app","${user}","profile",${version},9000000000000,"busy",null,null,null,null]`,
  }));

/** Writers whose names tell nothing about their nodes. */
const JOIN = fc.record({
  do: fc.constant("join" as const),
  writer: fc.constantFrom("w1", "w2", "w3"),
  leaseMs: fc.constantFrom(1_000, 10_000),
  nodeId: fc.constantFrom("n1", "n 2", "s:w1"),
  formerly: fc.uniqueArray(fc.constantFrom("w1", "w2", "w3"), { maxLength: 2 }),
});
const OWN_NAMES = ["a", "b"];
const STRICT_JOIN = fc
  .record({
    nodeId: fc.constantFrom("n1", "n2"),
    name: fc.constantFrom(...OWN_NAMES),
    leaseMs: fc.constantFrom(1_000, 10_000),
    formerly: fc.subarray(OWN_NAMES),
  })
  .map(({ nodeId, name, leaseMs, formerly }) => ({
    do: "join" as const,
    writer: `${nodeId}-${name}`,
    leaseMs,
    nodeId,
    formerly: formerly.map((each) => `${nodeId}-${each}`),
  }));

function commandOf(isStrict: boolean) {
  const writer = isStrict
    ? fc.constantFrom("n1-a", "n1-b", "n2-a", "n2-b")
    : fc.constantFrom("w1", "w2", "w3");
  return fc.oneof(
    { weight: 2, arbitrary: isStrict ? STRICT_JOIN : JOIN },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant("append" as const),
        writer,
        seq: fc.integer({ min: 1, max: 4 }),
        ops: fc.uniqueArray(fc.oneof({ weight: 4, arbitrary: op }, { weight: 1, arbitrary: profileOp }), {
          maxLength: 3,
          selector: (each) => each.sessionId,
        }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant("evict" as const),
        writer,
        seq: fc.option(fc.nat({ max: 4 }), { nil: undefined }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("forget" as const), writer }) },
  );
}

/** All but the ids, which Redis makes from its clock. */
function plain(entries: readonly Entry[]): unknown[] {
  return entries.map((entry) => ({ ...entry, id: undefined }));
}

/** What every log has to do. */
export function testLog(name: string, { makeLog, isStrict = false }: LogContractOptions): void {
  describe(name, () => {
    it("decides by the rules, whatever the commands", async () => {
      const commands = fc.array(commandOf(isStrict), { maxLength: 30, size: "max" });
      await fc.assert(
        fc.asyncProperty(commands, async (each) => compareWithModel(await makeLog(), each, isStrict)),
        { numRuns: runs(300) },
      );
    });

    it("tells the entries after one as soon as there are some", async () => {
      const log = (await makeLog()).at("n1-a");
      await log.join({ do: "join", writer: "n1-a", leaseMs: 1_000, nodeId: "n1", formerly: [] });
      const [joined] = await log.read("0-0");
      const next = log.read(joined!.id);
      await log.append({ do: "append", writer: "n1-a", seq: 1, ops: [] });
      expect(plain(await next)).toEqual(plain([{ ...BATCH, id: "" }]));
    });

    it("tells nothing after a while in which there was nothing to tell", async () => {
      const log = (await makeLog()).at("n1-a");
      const { end } = await log.readStatus({ do: "readStatus", at: undefined });
      expect(await log.read(end.id)).toEqual([]);
    });

    it("is scanned while it changes: what is there all the time comes", async () => {
      const log = (await makeLog()).at("n1-a");
      await log.join({ do: "join", writer: "n1-a", leaseMs: 1_000, nodeId: "n1", formerly: [] });
      let seq = 0;
      const append = (ops: readonly Op[]) => log.append({ do: "append", writer: "n1-a", seq: ++seq, ops });
      const ids = Array.from({ length: 4_000 }, (_, i) => `s${i}`);
      const open = (sessionId: string): Op => ({ kind: "open", sessionId, text: "x".repeat(100) });
      for (let i = 0; i < ids.length; i += 500) await append(ids.slice(i, i + 500).map(open));
      const found = new Set<string>();
      for (let from: string | undefined = "0", parts = 0; from !== undefined; parts++) {
        const batch: ScanBatch = await log.scan({ do: "scan", from });
        for (const { sessionId } of batch.rows) found.add(sessionId);
        from = batch.next;
        if (parts > 3) continue;
        // Every second one ends, the rest changes, and others come.
        const some = ids.slice(500 * parts, 500 * (parts + 1));
        await append([
          ...some
            .filter((_, i) => i % 2 === 1)
            .map((sessionId) => ({ ...open(sessionId), kind: "end" as const })),
          ...some.filter((_, i) => i % 2 === 0).map(open),
        ]);
        await append(some.map((sessionId) => open(`new ${sessionId}`)));
      }
      const stay = ids.filter((_, i) => i % 2 === 0 || i >= 2_000);
      expect(stay.filter((sessionId) => !found.has(sessionId))).toEqual([]);
    });
  });

  describe(`profiles in ${name}`, () => {
    let log: Log;
    /** Writes a profile of each user, kept until the given time. */
    async function write(
      seq: number,
      keptUntil: readonly (readonly [user: string, ms: number])[],
      version = 1,
    ) {
      const ops = keptUntil.map(([user, ms]) => ({
        kind: "profile" as const,
        sessionId: user,
        text: `[1,"app","${user}","profile",${version},${ms},"busy",null,null,null,null]`,
      }));
      await log.append({ do: "append", writer: "n1-a", seq, ops });
    }
    const users = async () => (await scanAll(log)).map(({ sessionId }) => sessionId).sort();

    beforeEach(async () => {
      log = (await makeLog()).at("n1-a");
      await log.join({ do: "join", writer: "n1-a", leaseMs: 1_000, nodeId: "n1", formerly: [] });
    });

    it("go when their time is over, with the next one that is written", async () => {
      await write(1, [
        ["late", 1_000],
        ["kept", 9e12],
      ]);
      expect(await users()).toEqual(["kept"]);
    });

    it("do not win against later ones once their time is over, even if nothing was written since", async () => {
      await write(1, [["u", Date.now() + 1_500]], 1_000);
      let seq = 2;
      await until(async () => {
        await write(seq++, [["u", 9e12]], 1);
        return (await scanAll(log))[0]!.text.includes('"profile",1,9');
      }, 20_000);
      expect(await users()).toEqual(["u"]);
    });

    it("are so many at most: those that would go first go", async () => {
      const many = Array.from(
        { length: 150 },
        (_, i) => [`u${String(i).padStart(3, "0")}`, 9e12 + i] as const,
      );
      await write(1, many);
      const last = many.slice(-MAX_PROFILES);
      expect(await users()).toEqual(last.map(([user]) => user));
      // The first two are kept for longer now.
      await write(
        2,
        last.slice(0, 2).map(([user]) => [user, 9e12 + 2_000] as const),
        2,
      );
      await write(3, [
        ["soon", 9e12],
        ["x latest", 9e12 + 1_000],
      ]);
      const stay = [...last.slice(0, 2), ...last.slice(3)].map(([user]) => user);
      expect(await users()).toEqual([...stay, "x latest"]);
    });
  });
}

const BATCH = { kind: "batch", count: 2, writer: "n1-a", seq: 1, records: [] } as const;

async function compareWithModel(
  logs: LogUnderTest,
  commands: readonly Command[],
  isStrict: boolean,
): Promise<void> {
  const model = new ModelLog();
  const joined = new Set<string>();
  for (const each of commands) {
    if (isStrict && each.do === "append" && !joined.has(each.writer)) continue;
    const both = ask("writer" in each ? logs.at(each.writer) : logs.at(""), each, model);
    expect(await both.log).toEqual(both.model);
    if (each.do === "join" && (both.model as JoinReply).ok) joined.add(each.writer);
  }
  const log = logs.at("n1-a");
  const [status, should] = [
    await log.readStatus({ do: "readStatus", at: undefined }),
    model.readStatus({ do: "readStatus", at: undefined }),
  ];
  expect(status.end.count).toBe(should.end.count);
  expect(sorted(status.register)).toEqual(sorted(should.register));
  const held = [...model.rows, ...model.profiles].map(([sessionId, row]) => ({ sessionId, ...row }));
  expect(sorted(await scanAll(log))).toEqual(sorted(held));
  const ids = [...model.entries.keys()];
  const entries = ids.length > 0 ? await log.read("0-0") : [];
  for (const i of ids.slice(-2)) {
    const { found } = await log.readStatus({ do: "readStatus", at: entries[i]!.id });
    expect({ ...found, id: undefined }).toEqual({ ...model.entries[i], id: undefined });
  }
  expect((await log.readStatus({ do: "readStatus", at: "1-1" })).found).toBeUndefined();
  expect(plain(entries)).toEqual(plain(model.entries));
}

export async function scanAll(of: Log): Promise<ScannedRow[]> {
  const rows: ScannedRow[] = [];
  for (let from: string | undefined = "0"; from !== undefined; ) {
    const batch: ScanBatch = await of.scan({ do: "scan", from });
    rows.push(...batch.rows);
    from = batch.next;
  }
  return rows;
}

function ask(log: Log, each: Command, model: ModelLog): { log: Promise<unknown>; model: unknown } {
  switch (each.do) {
    case "join":
      return { log: log.join(each), model: model.join(each) };
    case "append":
      return { log: log.append(each), model: model.append(each) };
    case "evict":
      return { log: log.evict(each), model: model.evict(each) };
    case "forget":
      return { log: log.forget(each), model: model.forget(each) };
    default:
      throw new Error(each.do);
  }
}

/** In one order, whatever the order of the fields. */
function sorted(values: readonly unknown[]): string[] {
  return values.map((value) => JSON.stringify(value, Object.keys(value as object).sort())).sort();
}
