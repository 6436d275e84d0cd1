import assert from "node:assert/strict";
import fc from "fast-check";
import { expect, it } from "vitest";
import type { Session, SessionConnection } from "../../src/core/sessions/session.ts";
import { CompiledFilter } from "../../src/core/views/compiled-filter.ts";
import { IDLE_VIEW_MS } from "../../src/core/views/view-registry.ts";
import type { LeaveCause } from "../../src/protocol/codes.ts";
import { FilterSchema } from "../../src/protocol/filter.ts";
import type { StatusPatch } from "../../src/protocol/wire.ts";
import { App } from "../../src/server/auth/app.ts";
import { AppPresence } from "../../src/server/gateway/app-presence.ts";
import { ResultPages } from "../../src/server/gateway/result-pages.ts";
import type { SessionLife } from "../../src/server/gateway/session-life.ts";
import { CachedResponse } from "../../src/server/http/cached-response.ts";
import { readSettings } from "../../src/server/settings/settings.ts";
import { runs, SEED } from "../support/seed.ts";
import { endlessTurn, testTelemetry } from "../support/stubs.ts";
import * as arbitraries from "./arbitraries.ts";
import { CauseBook, type Fields, Oracle, type OracleFilter, type OracleSession } from "./oracle.ts";
import { Reader } from "./reader.ts";

const TYPING_MS = 300;
const WINDOW_MS = 500;
const MAX_BUFFERED = 4_096;
/** So few that users reach it. */
const MAX_SESSIONS = 4;

const settings = readSettings(
  {
    TYPING_TIMEOUT_MS: String(TYPING_MS),
    RESUME_WINDOW_MS: String(WINDOW_MS),
    MAX_BUFFERED_BYTES: String(MAX_BUFFERED),
    MAX_SESSIONS_PER_USER: String(MAX_SESSIONS),
  },
  { openFiles: undefined, readFile: () => "" },
);
const RETENTION_MS = settings.limits.userRetentionDays * 86_400_000;
const app = new App({ id: "app", secrets: ["secret"], indexedCustom: arbitraries.INDEXED });

class FakeSocket implements SessionConnection {
  readonly sessions = new Set<string>();
  onSessionTaken(session: Session): void {
    this.sessions.delete(session.sessionId);
  }
}

/** The pure core beside the oracle: each step is done to both, then every door is compared. */
class World {
  now = 1_000;
  readonly oracle = new Oracle(TYPING_MS, WINDOW_MS);
  readonly causes = new CauseBook();
  readonly sockets = Array.from({ length: 4 }, () => new FakeSocket());
  readonly readers: Reader[] = [];
  readonly filters: {
    key: string;
    plain: OracleFilter;
    compiled: CompiledFilter;
    counted: CompiledFilter;
    kept: CachedResponse;
  }[];
  readonly presence: AppPresence;
  #ids = 0;

  constructor(filters: readonly OracleFilter[]) {
    this.filters = filters.map((plain, index) => {
      const filter = FilterSchema.parse(plain);
      const showsInvisible = filter.includeInvisible ?? false;
      const compiled = new CompiledFilter(filter, { showsInvisible });
      const counted = new CompiledFilter(filter, { showsInvisible, isCount: true });
      return { key: String(index), plain, compiled, counted, kept: new CachedResponse(compiled) };
    });
    this.presence = new AppPresence(app, {
      limits: settings.limits,
      telemetry: testTelemetry(),
      makeId: () => `id${this.#ids++}`,
      clock: { now: () => this.now, wallNow: () => this.now },
      wakeBy: () => {},
      flushTurn: endlessTurn(),
    });
  }

  /** Does one thing to the oracle, noting who left which result by it. */
  #change(cause: LeaveCause, change: () => void): void {
    const before = this.filters.map(({ plain }) => this.oracle.query(plain));
    change();
    for (const [i, { key, plain }] of this.filters.entries()) {
      this.causes.note(key, before[i]!, this.oracle.query(plain), cause);
    }
  }

  do(step: arbitraries.Step): void {
    if (step.do === "advance") this.advance(step.ms);
    else this.presence.transact(this.now, (sessions) => this.#do(step, sessions));
    this.compare();
  }

  #do(step: Exclude<arbitraries.Step, { do: "advance" }>, sessions: SessionLife): void {
    const { oracle, presence, now } = this;
    const { liveViews } = presence;
    const session =
      "session" in step ? oracle.sessions[step.session % Math.max(1, oracle.sessions.length)] : undefined;
    const socket = "socket" in step ? this.sockets[step.socket % this.sockets.length]! : undefined;
    const live = session && presence.table.get(session.sessionId)!;
    switch (step.do) {
      case "open": {
        const evicted = sessions.sessionsToEvict(step.userId);
        const expected = oracle.sessionToEvict(step.userId, MAX_SESSIONS);
        if (evicted === "full" || expected === "full") {
          assert.equal(evicted, expected);
          break;
        }
        const ids = evicted.map(({ sessionId }) => sessionId);
        assert.deepEqual(ids, expected === undefined ? [] : [expected.sessionId]);
        for (const disconnected of evicted) {
          sessions.evict(disconnected);
          this.#change("timeout", () => oracle.end(expected!));
        }
        const opened = sessions.open(step.userId, step.kind, step.fields, socket!);
        socket!.sessions.add(opened.sessionId);
        this.#change("changed", () =>
          oracle.open(opened.sessionId, step.userId, step.kind, step.fields as Fields, socket, now),
        );
        break;
      }
      case "update":
        if (live === undefined) return;
        sessions.update(live, step.fields);
        this.#change("changed", () => oracle.update(session!, step.fields as Fields, now));
        break;
      case "close":
        if (live === undefined) return;
        live.connection?.onSessionTaken(live, "kicked");
        sessions.end(live, "closed");
        this.#change("closed", () => oracle.end(session!));
        break;
      case "leave":
        for (const sessionId of socket!.sessions) {
          const held = oracle.sessions.find((each) => each.sessionId === sessionId)!;
          if (step.clean) {
            sessions.end(presence.table.get(sessionId)!, "closed");
            this.#change("closed", () => oracle.end(held));
          } else {
            sessions.markDisconnected(presence.table.get(sessionId)!);
            oracle.lose(held, now);
          }
        }
        socket!.sessions.clear();
        break;
      case "resume":
        if (live === undefined) return;
        sessions.takeOver(live, socket!);
        socket!.sessions.add(live.sessionId);
        sessions.update(live, step.fields);
        session!.connection = socket;
        this.#change("changed", () => oracle.update(session!, step.fields as Fields, now));
        break;
      case "kick": {
        const theirs = oracle.sessions.filter((each) => each.userId === step.userId);
        expect(sessions.forceEndAll(step.userId)).toBe(theirs.length);
        for (const each of theirs) this.#change("kicked", () => oracle.end(each));
        break;
      }
      case "declare": {
        const patch = step.patch as StatusPatch;
        const wasInvisible = oracle.statusOf(step.userId).availability === "invisible";
        sessions.profiles.declare(step.userId, patch);
        const hides = patch.availability === "invisible" && !wasInvisible;
        this.#change(hides ? "closed" : "changed", () => oracle.declare(step.userId, patch, now));
        break;
      }
      case "subscribe": {
        const { key, plain, compiled } = this.filters[step.filter % this.filters.length]!;
        const again = this.readers[step.reader];
        if (again !== undefined && again.filterKey === key) {
          again.subscription.wantsPatches = step.patch;
          again.subscription.requestSnapshot(1);
          break;
        }
        const reader = new Reader(
          liveViews.channel(compiled),
          key,
          this.causes,
          () => parsed(oracle.query(plain)),
          MAX_BUFFERED,
        );
        reader.subscription.wantsPatches = step.patch;
        this.readers.push(reader);
        reader.subscription.requestSnapshot(1);
        break;
      }
      case "unsubscribe": {
        const [reader] = this.readers.splice(step.reader % Math.max(1, this.readers.length), 1);
        if (reader === undefined) return;
        reader.subscription.channel.remove(reader.subscription);
        liveViews.releaseChannel(reader.subscription.channel, now);
        this.#comeBack(reader);
        break;
      }
      case "stall":
        this.readers[step.reader]?.setSlow(step.isSlow);
        break;
    }
  }

  /** Unsubscribed readers try to take up where they were: missed diffs or nothing, never a wrong state. */
  #comeBack(reader: Reader): void {
    const { view } = reader.subscription.channel;
    const missed = view.since(reader.version);
    if (missed === undefined || reader.view !== view.name || reader.buffered > 0) return;
    const { wantsPatches } = reader.subscription;
    for (const diff of missed) reader.take((wantsPatches ? diff.patch : undefined) ?? diff.whole());
    expect(reader.data).toEqual(Object.assign(Object.create(null), parse(view.members())));
  }

  advance(ms: number): void {
    this.now += ms;
    // The oracle ends typing first, then sessions, each a change of its own, as the presence does.
    this.#change("changed", () => {
      for (const session of this.oracle.sessions) {
        if (session.isTyping && session.typingUntil <= this.now) session.isTyping = false;
      }
    });
    this.#change("changed", () => this.oracle.expireStatuses(this.now));
    let ended: OracleSession[] = [];
    this.#change("timeout", () => {
      ended = this.oracle.advance(this.now);
    });
    for (const { userId } of ended) {
      for (const { key } of this.filters) this.causes.alsoTrue(key, userId, "timeout");
    }
    this.presence.run(this.now);
  }

  /** By `assert`, for it is done so often that `expect` would take as long as all the rest. */
  compare(): void {
    const { oracle, presence } = this;
    const expected = this.filters.map(({ plain }) => oracle.query(plain));
    for (const [i, { compiled, counted, kept }] of this.filters.entries()) {
      const members: string[] = [];
      compiled.forEachUser(presence.table, (user) => members.push(user.encodedEntry(compiled)));
      assert.deepEqual(parse(members), expected[i]);
      const answer = JSON.parse(kept.read(presence.table) as string);
      assert.deepEqual(Object.assign(Object.create(null), answer.data), expected[i]);
      assert.equal(new ResultPages(counted, presence.table).count(), Object.keys(expected[i]!).length);
    }
    assert.deepEqual(presence.table.counts(), oracle.counts());
    for (const reader of this.readers) {
      const { view } = reader.subscription.channel;
      if (view.isMarked || reader.version !== view.version) continue;
      assert.deepEqual(reader.data, expected[Number(reader.filterKey)]);
    }
  }

  /** Lets everything come to rest: slow readers read, intervals end. Then nothing may differ anywhere. */
  rest(): void {
    for (const reader of this.readers) reader.setSlow(false);
    this.advance(settings.limits.diffIntervalMs);
    for (const reader of this.readers) {
      expect(reader.version).toBe(reader.subscription.channel.view.version);
      expect(reader.subscription.channel.view.isMarked).toBe(false);
    }
    this.compare();
  }

  /** Everybody leaves: nothing may stay. */
  end(): void {
    for (const socket of this.sockets) {
      for (const sessionId of socket.sessions) {
        const session = this.presence.table.get(sessionId)!;
        this.presence.transact(this.now, (sessions) => sessions.markDisconnected(session));
      }
    }
    for (const { subscription } of this.readers) {
      subscription.channel.remove(subscription);
      this.presence.liveViews.releaseChannel(subscription.channel, this.now);
    }
    // Then what users have declared is forgotten.
    for (const ms of [IDLE_VIEW_MS, IDLE_VIEW_MS, IDLE_VIEW_MS, RETENTION_MS]) {
      this.now += ms;
      this.presence.run(this.now);
    }
    const leftovers = this.presence.debugCounts();
    expect(leftovers).toEqual(Object.fromEntries(Object.keys(leftovers).map((name) => [name, 0])));
    expect(this.presence.nextDueAt()).toBe(Number.POSITIVE_INFINITY);
  }
}

/** As it looks after a trip through JSON. */
function parsed(data: Record<string, unknown>): Record<string, unknown> {
  return Object.assign(Object.create(null), JSON.parse(JSON.stringify(data)));
}

function parse(members: readonly string[]): Record<string, unknown> {
  return Object.assign(Object.create(null), JSON.parse(`{${members.join(",")}}`));
}

const NOTHING = {
  visible: undefined,
  selectedConversationId: undefined,
  hasFocus: undefined,
  isTyping: undefined,
  isIdle: undefined,
  custom: undefined,
};
const NO_PATCH = { availability: undefined, text: undefined, emoji: undefined, expiresInMs: undefined };

const RUNS = Number(process.env.MODEL_RUNS ?? runs(3_000));

it(`the core equals a naive recomputation after each of any steps (${RUNS} runs, MODEL_SEED=${SEED})`, () => {
  fc.assert(
    fc.property(
      fc.array(arbitraries.filter, { minLength: 1, maxLength: 5 }),
      fc.array(arbitraries.step, { maxLength: 60, size: "max" }),
      (filters, steps) => {
        const world = new World(filters);
        for (const step of steps) world.do(step);
        world.rest();
        world.end();
      },
    ),
    { numRuns: RUNS, seed: SEED },
  );
}, 600_000);

it("the core equals it also after what random steps have found", () => {
  // A status ends, and then the session of its user, in one late turn.
  const world = new World([{ includeBackgroundSessions: true, fields: [] }]);
  const steps: readonly arbitraries.Step[] = [
    { do: "subscribe", filter: 0, reader: 0, patch: false },
    { do: "open", socket: 0, userId: "bob", kind: "background", fields: NOTHING },
    { do: "resume", session: 0, socket: 3, fields: NOTHING },
    { do: "declare", userId: "bob", patch: { ...NO_PATCH, availability: "invisible", expiresInMs: 200 } },
    { do: "leave", socket: 3, clean: false },
    { do: "advance", ms: 900 },
  ];
  for (const step of steps) world.do(step);
  world.rest();
  world.end();
});
