import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { NO_PROFILE, type Profile } from "../../../src/core/sessions/profile.ts";
import {
  MAX_OWNERSHIP_NUMBER,
  NEW_SESSION,
  type RemoteSession,
  type Session,
} from "../../../src/core/sessions/session.ts";
import { SessionRow } from "../../../src/core/sessions/session-row.ts";
import { DEFAULT_STATUS } from "../../../src/core/sessions/status.ts";
import { UserRow } from "../../../src/core/sessions/user-row.ts";
import {
  type ConfirmedOp,
  decideAfterReload,
  decideConfirmation,
  decideProfile,
  decideRecord,
  decideUnheardProfile,
  decideWithoutRow,
  decideWithoutSession,
  type Knowledge,
  type ReceivedRecord,
} from "../../../src/server/cluster/decisions.ts";
import type { Effect } from "../../../src/server/cluster/effect.ts";
import { knowing } from "./knowing.ts";

const HEAD = readFileSync(new URL("../../../src/server/cluster/decisions.ts", import.meta.url), "utf8");
const OF_SESSION_ID = { appId: "app", sessionId: "s" };
const IGNORE: Effect = { do: "ignore" };
const SOCKET = { onSessionTaken: () => {} };
const EPOCH = 5;

/** A session as this node shows it, at epoch 5. Without an owner it is this node's own. */
const sessionOf = (owner?: string, hasClient = false, epoch = EPOCH) =>
  new SessionRow("s", new UserRow("alice"), "widget", NEW_SESSION, hasClient ? SOCKET : undefined, {
    opened: 1,
    owner,
    epoch,
    lostAt: undefined,
  });
const own = () => sessionOf();
const remote = () => sessionOf("other");

const overriding = knowing({ hasUnconfirmedWrite: true, hasUnconfirmedOverride: true });
const sent = knowing({ hasUnconfirmedWrite: true, hasUnconfirmedOverride: true, hasSentOverride: true });
const registered = knowing({ isRegistered: true });

const rowAt = (epoch: number): RemoteSession => ({
  userId: "alice",
  kind: "widget",
  opened: 1,
  epoch: epoch,
  lostAt: undefined,
  state: NEW_SESSION,
});
const received = (source: ReceivedRecord["source"], epoch: number): ReceivedRecord => ({
  source,
  writer: "writer",
  ...OF_SESSION_ID,
  record: { kind: "row", session: rowAt(epoch) },
});
const inLog = (epoch: number) => received("log", epoch);
const scanned = (epoch: number) => received("scan", epoch);
const ended = (cause: "closed" | "node-lost"): ReceivedRecord => ({
  ...inLog(0),
  record: { kind: "end", cause },
});
const applied = (epoch: number): Effect => ({
  do: "applyRow",
  ...OF_SESSION_ID,
  remote: rowAt(epoch),
  owner: "writer",
});
const op = (kind: ConfirmedOp["kind"], isDone: boolean): ConfirmedOp => ({
  kind,
  ...OF_SESSION_ID,
  cause: "closed",
  isDone,
});

/** What is decided, and how, by the session that the effect is about. */
type Case = readonly [
  row: string,
  session: Session | undefined,
  decide: (session: Session | undefined) => Effect,
  expected: Effect | ((session: Session) => Effect),
];

const record = (what: ReceivedRecord, node: Knowledge) => (session: Session | undefined) =>
  decideRecord(what, session, node);
const confirmation = (what: ConfirmedOp, node: Knowledge) => (session: Session | undefined) =>
  decideConfirmation(what, session, node);
const afterReload = (node: Knowledge) => (session: Session | undefined) =>
  decideAfterReload("app", session!, node);
const withoutRow = (session: Session | undefined) => decideWithoutRow("app", session);
const withoutSession = (node: Knowledge) => (session: Session | undefined) =>
  decideWithoutSession("app", "s", session, node);
const writeAgain =
  (kind: "open" | "takeover") =>
  (session: Session): Effect => ({ do: "writeAgain", kind, appId: "app", session });
const removed = (session: Session): Effect => ({
  do: "removeRow",
  appId: "app",
  session,
  cause: "closed",
});

const WAS_WRITER = knowing({ wasWriter: true });
const MISS_SESSION: Effect = { do: "missSession", ...OF_SESSION_ID };
const RELOAD: Effect = { do: "reload", reason: "refused" };
const WRITE_END: Effect = { do: "writeEnd", ...OF_SESSION_ID };

const inOtherState = (fields: Partial<RemoteSession["state"]>): ReceivedRecord => ({
  ...scanned(9),
  record: { kind: "row", session: { ...rowAt(9), state: { ...NEW_SESSION, ...fields } } },
});
const UNWRITTEN = knowing({ wasWriter: true, hasUnconfirmedWrite: true });

const CASES: readonly Case[] = [
  ["A0", own(), record(inOtherState({ custom: { page: "" } }), WAS_WRITER), writeAgain("open")],
  ["A0", own(), record(inOtherState({ hasFocus: true }), WAS_WRITER), writeAgain("open")],
  ["A1", undefined, record(scanned(9), WAS_WRITER), MISS_SESSION],
  ["A1", remote(), record(scanned(9), WAS_WRITER), MISS_SESSION],
  ["A2", own(), record(scanned(9), WAS_WRITER), IGNORE],
  ["A2", undefined, record(scanned(9), UNWRITTEN), IGNORE],
  ["A2", own(), record(inOtherState({ hasFocus: true }), UNWRITTEN), IGNORE],
  ["A3", undefined, record(inLog(9), overriding), IGNORE],
  ["A3", undefined, record(ended("closed"), overriding), IGNORE],
  ["A4", remote(), record(inLog(EPOCH), overriding), IGNORE],
  ["A4", remote(), record(ended("closed"), overriding), IGNORE],
  ["A5", sessionOf(undefined, true), record(inLog(EPOCH - 1), overriding), IGNORE],
  ["A5", own(), record(ended("closed"), overriding), IGNORE],
  [
    "A6",
    sessionOf(undefined, true),
    record(inLog(EPOCH), overriding),
    (session) => ({ do: "outbid", appId: "app", session, epoch: EPOCH + 1 }),
  ],
  ["A7", own(), record(inLog(EPOCH), sent), IGNORE],
  ["B1", undefined, record(inLog(0), knowing({ hasTooManySessions: true })), { do: "reject" }],
  [
    "B1",
    undefined,
    record(scanned(0), knowing({ hasTooManySessions: true, hasEnded: true })),
    { do: "reject" },
  ],
  ["B2", undefined, record(scanned(9), knowing({ hasEnded: true })), { do: "quarantine", sessionId: "s" }],
  ["B3", own(), record(inLog(EPOCH - 1), knowing()), writeAgain("takeover")],
  ["B4", remote(), record(inLog(EPOCH - 1), registered), IGNORE],
  ["B4", remote(), record(scanned(EPOCH - 1), registered), IGNORE],
  ["B5", undefined, record(inLog(0), knowing({ hasEnded: true })), applied(0)],
  ["B5", undefined, record(scanned(0), knowing()), applied(0)],
  ["B5", remote(), record(inLog(EPOCH), registered), applied(EPOCH)],
  ["B5", own(), record(inLog(EPOCH), knowing()), applied(EPOCH)],
  ["B5: its owner has left", remote(), record(inLog(EPOCH - 1), knowing()), applied(EPOCH - 1)],
  ["B5: a higher epoch", sessionOf(undefined, true), record(inLog(EPOCH + 1), sent), applied(EPOCH + 1)],
  ["B5: a higher epoch", remote(), record(inLog(EPOCH + 1), sent), applied(EPOCH + 1)],
  ["B5: the client left before it was sent", own(), record(inLog(EPOCH), overriding), applied(EPOCH)],
  ["C1", undefined, record(ended("closed"), knowing()), IGNORE],
  ["C2", own(), record(ended("node-lost"), knowing({ hasUnconfirmedWrite: true })), IGNORE],
  ["C3", own(), record(ended("node-lost"), knowing()), writeAgain("open")],
  [
    "C4",
    own(),
    record(ended("closed"), knowing({ hasUnconfirmedWrite: true })),
    (session) => ({ do: "applyEnd", appId: "app", session, cause: "closed" }),
  ],
  [
    "C4",
    remote(),
    record(ended("node-lost"), knowing()),
    (session) => ({ do: "applyEnd", appId: "app", session, cause: "node-lost" }),
  ],
  ["D1", undefined, confirmation(op("end", false), knowing()), IGNORE],
  ["D2", own(), confirmation(op("patch", false), knowing()), writeAgain("open")],
  ["D3", own(), confirmation(op("open", false), knowing()), RELOAD],
  ["D4", remote(), confirmation(op("patch", false), knowing()), RELOAD],
  ["D5", remote(), confirmation(op("patch", false), registered), IGNORE],
  ["D6", remote(), confirmation(op("end", true), registered), removed],
  ["D6", remote(), confirmation(op("forceEnd", true), knowing()), removed],
  ["D7", own(), confirmation(op("end", true), knowing()), IGNORE],
  ["D7", undefined, confirmation(op("forceEnd", true), knowing()), IGNORE],
  ["D8", undefined, confirmation(op("patch", true), knowing()), WRITE_END],
  [
    "D9",
    remote(),
    confirmation(op("takeover", true), registered),
    (session) => ({ do: "reclaim", appId: "app", session }),
  ],
  ["D10", own(), confirmation(op("open", true), knowing()), IGNORE],
  ["E1", own(), afterReload(knowing()), writeAgain("open")],
  ["E2", own(), afterReload(knowing({ hasHeard: true })), IGNORE],
  ["E2", own(), afterReload(knowing({ hasUnconfirmedWrite: true })), IGNORE],
  [
    "E3",
    remote(),
    afterReload(knowing({ isEvicted: true, hasHeard: true })),
    (session) => ({ do: "ownerLost", appId: "app", session }),
  ],
  ["E4", remote(), afterReload(registered), { do: "missRow", ...OF_SESSION_ID }],
  ["E5", remote(), afterReload(knowing()), IGNORE],
  ["E5", remote(), afterReload(knowing({ isRegistered: true, hasHeard: true })), IGNORE],
  ["F1", remote(), withoutRow, removed],
  ["F2", undefined, withoutRow, IGNORE],
  ["F2", own(), withoutRow, IGNORE],
  ["F3", undefined, withoutSession(knowing()), WRITE_END],
  ["F3", remote(), withoutSession(knowing()), WRITE_END],
  ["F4", own(), withoutSession(knowing()), IGNORE],
  ["F4", undefined, withoutSession(knowing({ hasUnconfirmedWrite: true })), IGNORE],
];

it("the table of decisions and these cases have the same rows", () => {
  const rows = [...HEAD.matchAll(/^ \* \| ([A-F]\d+) \|/gm)].map(([, row]) => row);
  expect(rows.length).toBeGreaterThan(30);
  expect(new Set(CASES.map(([row]) => row.split(":")[0]))).toEqual(new Set(rows));
});

it.each(CASES.map(([row, ...rest], i) => [`${row} (case ${i})`, ...rest] as const))(
  "is decided as the table says: %s",
  (_, session, decide, expected) => {
    const before = JSON.stringify(session?.ownership);
    expect(decide(session)).toEqual(typeof expected === "function" ? expected(session!) : expected);
    // A decision changes nothing.
    expect(JSON.stringify(session?.ownership)).toBe(before);
  },
);

it("the epoch of a takeover stays at the largest number once it is there", () => {
  const session = sessionOf(undefined, true, MAX_OWNERSHIP_NUMBER);
  const effect = decideRecord(inLog(MAX_OWNERSHIP_NUMBER), session, overriding);
  expect(effect).toEqual({ do: "outbid", appId: "app", session, epoch: MAX_OWNERSHIP_NUMBER });
});

describe("profiles", () => {
  const profileAt = (version: number, text?: string): Profile => ({
    status: { ...DEFAULT_STATUS, text },
    lastSeenAt: undefined,
    version,
    usedAt: 0,
  });
  const KNOWN = profileAt(5, "known");
  const received = (source: "log" | "scan", profile: Profile) => ({
    source,
    writer: "other",
    ...OF_SESSION_ID,
    record: { kind: "profile" as const, userId: "alice", profile },
  });
  const unheard = (profile: Profile, node: Knowledge) =>
    decideUnheardProfile("app", "alice", "key", profile, node);
  const writes = { do: "writeProfile", appId: "app", userId: "alice", profile: KNOWN };
  const applies = (profile: Profile) => ({ do: "applyProfile", appId: "app", userId: "alice", profile });

  const ROWS: [row: string, effect: Effect, expected: object][] = [
    ...(["log", "scan"] as const).flatMap((source): [string, Effect, object][] => [
      ["P1", decideProfile(received(source, profileAt(6)), KNOWN), applies(profileAt(6))],
      ["P1", decideProfile(received(source, profileAt(5, "x")), KNOWN), applies(profileAt(5, "x"))],
      ["P1", decideProfile(received(source, profileAt(1, "x")), NO_PROFILE), applies(profileAt(1, "x"))],
      ["P3", decideProfile(received(source, profileAt(5, "known")), KNOWN), IGNORE],
    ]),
    ["P2", decideProfile(received("scan", profileAt(4, "x")), KNOWN), writes],
    ["P3", decideProfile(received("log", profileAt(4, "x")), KNOWN), IGNORE],
    ["P4", unheard(KNOWN, knowing()), writes],
    ["P5", unheard(KNOWN, knowing({ hasHeard: true })), IGNORE],
    ["P5", unheard(KNOWN, knowing({ hasUnconfirmedWrite: true })), IGNORE],
    ["P5", unheard(profileAt(5), knowing()), IGNORE],
  ];

  it.each(ROWS)("are decided as the table says: %s", (_, effect, expected) =>
    expect(effect).toEqual(expected),
  );

  it("have a case for each row", () => {
    const rows = [...HEAD.matchAll(/^ \* \| (P\d+) \|/gm)].map(([, row]) => row);
    expect(new Set(ROWS.map(([row]) => row))).toEqual(new Set(rows));
  });
});
