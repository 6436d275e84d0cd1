import { expect, it } from "vitest";
import { NEW_SESSION, type Session } from "../../../src/core/sessions/session.ts";
import { SessionRow } from "../../../src/core/sessions/session-row.ts";
import { UserRow } from "../../../src/core/sessions/user-row.ts";
import type { Effect } from "../../../src/server/cluster/effect.ts";
import type { EffectApplier } from "../../../src/server/cluster/effect-applier.ts";
import { Reconciler } from "../../../src/server/cluster/reconciler.ts";
import { encodeEnd, encodeRow } from "../../../src/server/cluster/record.ts";
import { type BatchEntry, RecordIntake } from "../../../src/server/cluster/record-intake.ts";
import type { ShardPresence } from "../../../src/server/cluster/shard-presence.ts";
import { Writer } from "../../../src/server/cluster/writer.ts";
import { knowing } from "./knowing.ts";

const sessionOf = (sessionId: string, owner?: string) =>
  new SessionRow(sessionId, new UserRow("alice"), "widget", NEW_SESSION, undefined, {
    opened: 1,
    owner,
    epoch: 0,
    lostAt: undefined,
  });
const ROW = encodeRow("app", sessionOf("s"));

function setUp(...sessions: Session[]) {
  const effects: Effect[] = [];
  const failures: unknown[] = [];
  const lags: number[] = [];
  const counts = { rejected: 0 };
  const broken = { sessionId: undefined as string | undefined };
  const writer = new Writer({
    presence: { setEpoch: () => {} },
    nodeId: "n",
    leaseMs: 10_000,
    intervalMs: 10,
    makeId: () => "own",
    wakeBy: () => {},
  });
  writer.linked();
  writer.step([], true, 0);
  writer.joined("own", { ok: true, logId: "log" }, 0);
  const reconciler = new Reconciler();
  const intake = new RecordIntake({
    presence: {
      serves: (appId: string) => appId === "app",
      get: (_appId: string, sessionId: string) => {
        if (sessionId === broken.sessionId) throw new Error("a defect");
        return sessions.find((session) => session.sessionId === sessionId);
      },
    } as unknown as ShardPresence,
    writer,
    reconciler,
    knowledge: {
      ...knowing(),
      hasUnconfirmedWrite: (sessionId) => writer.buffer.hasUnconfirmedWrite(sessionId),
    },
    effects: { apply: (effect: Effect) => void effects.push(effect) } as unknown as EffectApplier,
    rejected: () => counts.rejected++,
    observeLag: (ms) => lags.push(ms),
    failed: (error) => failures.push(error),
  });
  return { intake, writer, reconciler, effects, failures, lags, counts, broken };
}

const names = (effects: readonly Effect[]) => effects.map((effect) => effect.do);

it("the records of a batch are decided one after the other", () => {
  const { intake, effects } = setUp(sessionOf("s2", "w"));
  intake.takeBatch("w", ["s1", ROW, "s2", encodeEnd("app", "closed")], 0);
  expect(effects).toMatchObject([
    { do: "applyRow", sessionId: "s1", owner: "w" },
    { do: "applyEnd", cause: "closed" },
  ]);
});

it("what no node can have written is rejected, and the others are taken in", () => {
  const { intake, effects, counts } = setUp();
  intake.takeBatch("w", ["s1", "no record", "s2\n", ROW, "s3", ROW], 0);
  // A row in the table of rows cannot be an end.
  intake.takeRow({ owner: "w", sessionId: "s4", text: encodeEnd("app", "closed") }, 0);
  expect([names(effects), counts.rejected]).toEqual([["applyRow"], 3]);
});

it("records of an app that this node does not serve are left alone", () => {
  const { intake, effects, counts } = setUp();
  intake.takeBatch("w", ["s1", encodeRow("other", sessionOf("s1"))], 0);
  expect([effects, counts.rejected]).toEqual([[], 0]);
});

it("a record that shows a defect does not keep the others from being taken in", () => {
  const { intake, effects, failures, broken } = setUp();
  broken.sessionId = "s1";
  intake.takeBatch("w", ["s1", ROW, "s2", ROW], 0);
  expect([names(effects), failures]).toEqual([["applyRow"], [new Error("a defect")]]);
});

it("a session that a record names is not open any more", () => {
  const { intake, reconciler } = setUp();
  reconciler.begin();
  intake.takeRow({ owner: "w", sessionId: "s1", text: ROW }, 0);
  expect([reconciler.hasHeard("s1"), reconciler.hasHeard("s2")]).toEqual([true, false]);
});

const batchOf = (seq: number, fields: Partial<BatchEntry> = {}): BatchEntry => ({
  id: "1-0",
  kind: "batch",
  count: 1,
  writer: "own",
  seq,
  records: [],
  ...fields,
});

it("a batch that is read back confirms its writes, and shows the lag of the log", () => {
  const { intake, writer, effects, lags } = setUp();
  writer.writeRow("open", "app", sessionOf("gone"));
  const { seq } = writer.buffer.makeBatch(100);
  intake.confirm(batchOf(seq, { records: ["gone", ROW] }), 130);
  expect(lags).toEqual([30]);
  // It was opened, and has ended here meanwhile.
  expect(effects).toEqual([{ do: "writeEnd", appId: "app", sessionId: "gone" }]);
  expect(writer.buffer.hasUnconfirmedWrite("gone")).toBe(false);
});

it("a write that was refused is concluded as such, unless a newer one is under way", () => {
  const { intake, writer, effects } = setUp(sessionOf("s1"), sessionOf("s2"));
  writer.writeRow("patch", "app", sessionOf("s1"));
  writer.writeRow("patch", "app", sessionOf("s2"));
  const { seq } = writer.buffer.makeBatch(0);
  writer.writeRow("patch", "app", sessionOf("s2"));
  intake.confirm(batchOf(seq), 0);
  expect(effects).toMatchObject([{ do: "writeAgain", kind: "open", session: { sessionId: "s1" } }]);
});

it("a write for which Redis had no room is written again", () => {
  const { intake, writer, effects } = setUp(sessionOf("s1"));
  writer.writeRow("patch", "app", sessionOf("s1"));
  const { seq } = writer.buffer.makeBatch(0);
  intake.confirm(batchOf(seq, { isFull: true }), 0);
  expect(effects).toEqual([]);
  expect(writer.buffer.hasPending(false)).toBe(true);
});

it("a batch under another name confirms nothing", () => {
  const { intake, writer, lags } = setUp();
  writer.writeRow("patch", "app", sessionOf("s1"));
  const { seq } = writer.buffer.makeBatch(0);
  intake.confirm(batchOf(seq, { writer: "older" }), 0);
  expect([lags, writer.buffer.hasUnconfirmedWrite("s1")]).toEqual([[], true]);
});
