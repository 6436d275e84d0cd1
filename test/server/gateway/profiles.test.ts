import { describe, expect, it } from "vitest";
import type { Profile } from "../../../src/core/sessions/profile.ts";
import type { Session } from "../../../src/core/sessions/session.ts";
import { DEFAULT_STATUS, type Status } from "../../../src/core/sessions/status.ts";
import type { StatusPatch } from "../../../src/protocol/wire.ts";
import { App } from "../../../src/server/auth/app.ts";
import { AppPresence } from "../../../src/server/gateway/app-presence.ts";
import { BLANK_MS, describeStatus } from "../../../src/server/gateway/profiles.ts";
import { RememberedUsers } from "../../../src/server/gateway/remembered-users.ts";
import type { SessionLife } from "../../../src/server/gateway/session-life.ts";
import { readSettings } from "../../../src/server/settings/settings.ts";
import { Random } from "../../support/random.ts";
import { SEED } from "../../support/seed.ts";
import { endlessTurn, testTelemetry } from "../../support/stubs.ts";

const DAY_MS = 86_400_000;
/** The wall clock when the other one says 0. */
const SINCE_1970 = 1_780_000_000_000;

interface Options {
  readonly days?: number;
  readonly max?: number;
  readonly lastSeen?: boolean;
  readonly inCluster?: boolean;
}

function setUp({ days = 2, max = 3, lastSeen = true, inCluster = false }: Options = {}) {
  const time = { now: 0 };
  const env = { USER_RETENTION_DAYS: String(days), MAX_REMEMBERED_USERS: String(max) };
  const { limits } = readSettings(env, { openFiles: 65_536, readFile: () => "" });
  const written: [userId: string, profile: Profile][] = [];
  let ids = 0;
  const presence = new AppPresence(new App({ id: "app", secrets: ["x"], lastSeen }), {
    limits,
    telemetry: testTelemetry(),
    makeId: () => `s${ids++}`,
    clock: { now: () => time.now, wallNow: () => SINCE_1970 + time.now + 0.25 },
    wakeBy: () => {},
    flushTurn: endlessTurn(),
    rememberedUsers: new RememberedUsers(max),
    endQuota: { take: () => true },
    replicationSink: !inCluster
      ? undefined
      : {
          nodeNumber: 5,
          opened: () => {},
          changed: () => {},
          takenOver: () => {},
          ended: () => {},
          profileChanged: (userId, profile) => void written.push([userId, profile]),
          canExpireSessions: () => true,
        },
  });
  const transact = <T>(act: (sessions: SessionLife) => T) => presence.transact(time.now, act);
  const connection = { onSessionTaken: () => {} };
  const open = (userId = "alice") => transact((life) => life.open(userId, "widget", {}, connection));
  const end = (session: Session) => transact((life) => life.end(session, "closed"));
  const declare = (patch: StatusPatch, userId = "alice") =>
    transact(({ profiles }) => profiles.declare(userId, patch));
  const pass = (ms: number) => {
    time.now += ms;
    presence.run(time.now);
  };
  const profile = (userId = "alice") => presence.table.profile(userId);
  const lastSeenAt = (userId = "alice") => transact(({ profiles }) => profiles.lastSeenAt(userId));
  return { presence, time, transact, open, end, declare, pass, profile, lastSeenAt, written };
}

const IS_EMPTY = { profiles: 0, statuses: 0, forgetting: 0 };

describe("a declared status", () => {
  it("outlives the sessions of the user, and is forgotten after so many days", () => {
    const { presence, open, end, declare, pass, profile } = setUp({ lastSeen: false });
    const session = open();
    declare({ availability: "busy", text: "in a call" });
    pass(10 * DAY_MS);
    end(session);
    pass(2 * DAY_MS - 1);
    expect(profile().status).toMatchObject({ availability: "busy", text: "in a call" });
    const again = open();
    expect(again.user.status.availability).toBe("busy");
    pass(5 * DAY_MS);
    end(again);
    pass(2 * DAY_MS);
    expect(profile().status).toEqual(DEFAULT_STATUS);
    expect(presence.debugCounts()).toMatchObject(IS_EMPTY);
  });

  it("ends when its time is over, with or without a session, and keeps nobody longer", () => {
    const { presence, open, end, declare, pass, profile } = setUp();
    const session = open();
    declare({ availability: "dnd", text: "x", emoji: "y", expiresInMs: 1_000 });
    pass(999);
    expect(profile().status.availability).toBe("dnd");
    pass(1);
    expect(profile().status).toEqual(DEFAULT_STATUS);
    expect(session.user.status).toEqual(DEFAULT_STATUS);
    end(session);
    declare({ text: "back on Monday", expiresInMs: DAY_MS });
    pass(DAY_MS);
    expect(profile()).toMatchObject({ status: DEFAULT_STATUS, lastSeenAt: SINCE_1970 + 1_000 });
    pass(DAY_MS);
    expect(presence.debugCounts()).toMatchObject(IS_EMPTY);
  });

  it("is not patched when its time is over, though nobody has noticed that yet", () => {
    const { time, declare, profile } = setUp();
    declare({ availability: "dnd", text: "x", expiresInMs: 1_000 });
    time.now += 1_001;
    declare({ emoji: "🌴" });
    expect(describeStatus(profile().status)).toEqual({ availability: "available", emoji: "🌴" });
  });

  it("is replaced as a whole, and reset", () => {
    const { presence, transact, declare, profile } = setUp();
    declare({ availability: "dnd", text: "x", expiresInMs: 1_000 });
    transact(({ profiles }) => profiles.replaceStatus("alice", { emoji: "🌴", text: undefined }));
    expect(profile().status).toEqual({ ...DEFAULT_STATUS, emoji: "🌴" });
    transact(({ profiles }) => profiles.resetStatus("alice"));
    expect(presence.debugCounts()).toMatchObject(IS_EMPTY);
  });

  it("without retention ends with the last session, or with the next last one", () => {
    const { presence, open, end, declare, pass, profile, lastSeenAt } = setUp({ days: 0 });
    const [one, other] = [open(), open()];
    declare({ availability: "busy" });
    end(one);
    expect(profile().status.availability).toBe("busy");
    end(other);
    expect(presence.debugCounts()).toMatchObject(IS_EMPTY);
    declare({ availability: "away" });
    pass(100 * DAY_MS);
    const next = open();
    expect(next.user.status.availability).toBe("away");
    declare({ availability: "invisible" });
    expect(lastSeenAt()).toBe(undefined);
    end(next);
    expect(presence.debugCounts()).toMatchObject(IS_EMPTY);
  });

  it("that changes nothing is no change, and leaves nothing behind", () => {
    const { presence, declare } = setUp();
    declare({ availability: "available", text: null, emoji: "" });
    expect(presence.debugCounts()).toMatchObject(IS_EMPTY);
  });
});

describe("when a user was last seen", () => {
  it("is when the last session ended that others saw, or when the user became invisible", () => {
    const { time, open, end, declare, pass, lastSeenAt } = setUp();
    expect(lastSeenAt()).toBe(undefined);
    const [one, other] = [open(), open()];
    pass(10);
    end(one);
    expect(lastSeenAt()).toBe(undefined);
    pass(10);
    end(other);
    expect(lastSeenAt()).toBe(SINCE_1970 + 20);
    pass(10);
    const again = open();
    expect(lastSeenAt()).toBe(undefined);
    pass(10);
    declare({ availability: "invisible" });
    pass(10);
    declare({ text: "x" });
    end(again);
    const hidden = open();
    pass(10);
    declare({ availability: "invisible", text: null });
    expect(lastSeenAt()).toBe(SINCE_1970 + 40);
    declare({ availability: null });
    expect(lastSeenAt()).toBe(undefined);
    end(hidden);
    expect(lastSeenAt()).toBe(SINCE_1970 + time.now);
  });

  it("is forgotten as soon for users who are invisible as for those who are offline", () => {
    const { open, end, declare, pass, lastSeenAt } = setUp();
    open("invisible");
    declare({ availability: "invisible" }, "invisible");
    end(open("offline"));
    pass(2 * DAY_MS - 1);
    expect(lastSeenAt("invisible")).toBe(SINCE_1970);
    expect(lastSeenAt("offline")).toBe(SINCE_1970);
    pass(1);
    expect(lastSeenAt("invisible")).toBe(undefined);
    expect(lastSeenAt("offline")).toBe(undefined);
  });

  it("is kept only for apps that want it", () => {
    const { presence, open, end } = setUp({ lastSeen: false });
    end(open());
    expect(presence.debugCounts()).toMatchObject(IS_EMPTY);
  });
});

describe("in a cluster", () => {
  const profileOf = (status: Partial<Status>, version: number): Profile => ({
    status: { ...DEFAULT_STATUS, ...status },
    lastSeenAt: undefined,
    version,
    usedAt: SINCE_1970,
  });

  it("a session that ends does not undo what was declared elsewhere, before or after it was opened", () => {
    for (const days of [0, 2]) {
      const { time, open, end, declare, written } = setUp({ inCluster: true, days });
      declare({ availability: "busy" });
      time.now += 1_000;
      const session = open();
      time.now += 1_000;
      end(session);
      const [[, busy], [, left]] = written as [[string, Profile], [string, Profile]];
      if (days > 0) {
        expect(left).toMatchObject({ status: busy.status, lastSeenAt: SINCE_1970 + 2_000 });
      } else expect(left).toMatchObject({ status: DEFAULT_STATUS, lastSeenAt: undefined });
      expect(left.usedAt).toBe(SINCE_1970 + 2_000);
      expect(left.version).toBeGreaterThan(busy.version);
      // On another node, of which this one has not heard: a moment after the first status.
      expect(left.version).toBeLessThan((SINCE_1970 + 1) * 1_024);
    }
  });

  it("what a node has shown all the time wins where it is declared again: others may have shown more", () => {
    const { presence, declare, written, pass } = setUp({ inCluster: true });
    declare({});
    expect(written).toEqual([]);
    // Another node, of which this one does not hear, has said a moment ago that the user is busy.
    pass(1_000);
    const busy = (SINCE_1970 + 999) * 1_024;
    declare({ availability: null });
    declare({ availability: null, text: null });
    const versions = written.map(([, { status, version }]) => {
      expect(status).toEqual(DEFAULT_STATUS);
      return version;
    });
    expect(versions).toHaveLength(2);
    expect(versions[0]).toBeGreaterThan(busy);
    expect(versions[1]).toBeGreaterThan(versions[0]!);
    pass(BLANK_MS);
    expect(presence.debugCounts()).toMatchObject(IS_EMPTY);
  });

  it("a reset is remembered for a while, so that older records do not bring the status back", () => {
    for (const days of [0, 2]) {
      const { presence, open, end, declare, pass, profile } = setUp({
        days,
        inCluster: true,
        lastSeen: false,
      });
      const session = open();
      declare({ availability: "busy" });
      const busy = profile().version;
      if (days > 0) declare({ availability: null });
      end(session);
      expect(profile().status).toEqual(DEFAULT_STATUS);
      expect(profile().version).toBeGreaterThan(busy);
      pass(BLANK_MS);
      expect(presence.debugCounts()).toMatchObject(IS_EMPTY);
    }
  });

  it("what other nodes report is shown, kept and forgotten like what was declared here", () => {
    const { presence, transact, open, pass, profile, written } = setUp({ inCluster: true });
    const report = (remote: Profile) => transact(({ profiles }) => profiles.applyRemote("alice", remote));
    const session = open();
    report(profileOf({ availability: "away", expiresAt: SINCE_1970 + 50 }, 1));
    expect(session.user.status.availability).toBe("away");
    pass(50);
    expect(session.user.status.availability).toBe("available");
    report(profileOf({ availability: "away", expiresAt: SINCE_1970 + 50 }, 2));
    expect(session.user.status.availability).toBe("available");
    transact(({ profiles }) => profiles.applyRemote("bob", profileOf({ text: "x" }, 1)));
    pass(DAY_MS);
    expect(profile("bob").status.text).toBe("x");
    pass(DAY_MS);
    expect(profile("bob").status.text).toBe(undefined);
    expect(written).toEqual([]);
    expect(presence.debugCounts()).toMatchObject({ profiles: 1, forgetting: 0 });
  });
});

it(`remembers the last users, and all who are online (MODEL_SEED=${SEED})`, () => {
  const random = new Random(SEED);
  const max = 3;
  const { presence, open, end, declare, profile } = setUp({ max, lastSeen: false });
  const online = new Map<string, Session>();
  const texts = new Map<string, string>();
  let offline: string[] = [];
  for (let step = 0; step < 2_000; step++) {
    const userId = `u${random.below(8)}`;
    const session = online.get(userId);
    offline = offline.filter((each) => each !== userId);
    if (random.oneIn(2)) {
      texts.set(userId, `${step}`);
      declare({ text: `${step}` }, userId);
    } else if (session === undefined) online.set(userId, open(userId));
    else {
      online.delete(userId);
      end(session);
    }
    if (!online.has(userId) && texts.has(userId)) offline.push(userId);
    if (offline.length > max) texts.delete(offline.shift()!);
    for (let i = 0; i < 8; i++) expect(profile(`u${i}`).status.text).toBe(texts.get(`u${i}`));
    expect(presence.table.profiles.size).toBe(texts.size);
  }
});
