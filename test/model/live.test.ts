import assert from "node:assert/strict";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { IDLE_VIEW_MS } from "../../src/core/views/view-registry.ts";
import type { TestClient } from "../support/client.ts";
import { readEvents } from "../support/events.ts";
import { APP, TestGateway } from "../support/gateway.ts";
import { runs, SEED } from "../support/seed.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { until } from "../support/until.ts";
import * as arbitraries from "./arbitraries.ts";
import { type Fields, Oracle, type OracleFilter, type OracleSession } from "./oracle.ts";

const TYPING_MS = 300;
const WINDOW_MS = 500;
const SOCKETS = 3;
/** So few that users reach it. */
const MAX_SESSIONS = 4;

const ALICE = "alice";
/** Over a socket a status lasts for at least a second. */
const LONGER = 5;

const RUNS = Number(process.env.LIVE_RUNS ?? runs(24));

/** Holds the sessions that are written over HTTP. They live longer than any run. */
const HTTP = { key: "" };
const TTL_MS = 3_600_000;
const userPath = (userId: string) => `/v1/${APP}/users/${encodeURIComponent(userId)}`;
const statusOf = (value: unknown) => (value as { status: string }).status;

/** A live node on a clock that the test turns, beside the oracle. Every step goes over a socket or HTTP. */
class LiveWorld {
  readonly #gateway: TestGateway;
  readonly #clock: { time: number };
  readonly #filters: readonly OracleFilter[];
  readonly #oracle = new Oracle(TYPING_MS, WINDOW_MS);
  readonly #sockets: TestClient[] = [];
  readonly #watched = new Map<string, OracleFilter>();
  readonly #counted = new Map<string, OracleFilter>();
  #watcher!: TestClient;
  /** A user who may watch everybody. */
  #alice!: TestClient;

  constructor(gateway: TestGateway, clock: { time: number }, filters: readonly OracleFilter[]) {
    this.#gateway = gateway;
    this.#clock = clock;
    this.#filters = filters;
  }

  async start(): Promise<void> {
    this.#watcher = await this.#gateway.connect();
    this.#alice = await this.#gateway.connect(ALICE);
    for (let i = 0; i < SOCKETS; i++) this.#sockets.push(await this.#gateway.connect());
  }

  async do(step: arbitraries.Step | arbitraries.HttpStep): Promise<void> {
    const oracle = this.#oracle;
    const now = this.#clock.time;
    const session =
      "session" in step ? oracle.sessions[step.session % Math.max(1, oracle.sessions.length)] : undefined;
    const index = "socket" in step ? step.socket % SOCKETS : 0;
    const socket = this.#sockets[index]!;
    switch (step.do) {
      case "open": {
        const { userId, kind, fields } = step;
        const answer = await socket.ask({ type: "open", userId, kind, ...fields });
        const evicted = oracle.sessionToEvict(userId, MAX_SESSIONS);
        if (evicted === "full") {
          expect(answer).toMatchObject({ type: "error", code: "LIMIT_REACHED" });
          break;
        }
        if (evicted !== undefined) oracle.end(evicted);
        expect(answer).toMatchObject({ type: "opened", resumed: false });
        oracle.open(answer.sessionId, userId, kind, fields as Fields, socket, now);
        break;
      }
      case "update":
        await this.#onSession(session, "update", step.fields, () =>
          oracle.update(session!, step.fields as Fields, now),
        );
        break;
      case "close":
        await this.#onSession(session, "close", {}, () => oracle.end(session!));
        break;
      case "leave":
        await this.#leave(index, step.clean);
        break;
      case "resume": {
        if (session === undefined) break;
        const { sessionId, userId, kind } = session;
        if (isWritten(session)) break;
        const answer = await socket.ask({ type: "open", userId, kind, sessionId, ...step.fields });
        expect(answer).toMatchObject({ type: "opened", sessionId, resumed: true });
        if (session.connection !== undefined && session.connection !== socket) {
          const closed = await (session.connection as TestClient).next("closed");
          expect(closed).toEqual({ type: "closed", sessionId, cause: "replaced" });
        }
        session.connection = socket;
        oracle.update(session, step.fields as Fields, now);
        break;
      }
      case "write":
        await this.#write(step);
        break;
      case "kick":
      case "erase": {
        const theirs = oracle.sessions.filter((each) => each.userId === step.userId);
        const isErased = step.do === "erase";
        const path = isErased ? userPath(step.userId) : `${userPath(step.userId)}/sessions`;
        const ended = { ended: theirs.length };
        const { json } = await this.#gateway.http("DELETE", path);
        expect(json).toEqual(isErased ? { ...ended, erased: true } : ended);
        if (isErased) oracle.statuses.delete(step.userId);
        for (const each of theirs) {
          const { sessionId } = each;
          if (each.connection !== undefined && !isWritten(each)) {
            const closed = await (each.connection as TestClient).take(
              (message) => message.sessionId === sessionId,
            );
            expect(closed).toEqual({ type: "closed", sessionId, cause: "kicked" });
          }
          oracle.end(each);
        }
        break;
      }
      case "declare": {
        const { userId } = step;
        const { expiresInMs } = step.patch;
        const patch = { ...step.patch, ...(expiresInMs && { expiresInMs: expiresInMs * LONGER }) };
        expect((await socket.ask({ type: "status", userId, ...patch })).type).toBe("ok");
        oracle.declare(userId, patch, now);
        break;
      }
      case "advance":
        this.advance(step.ms);
        break;
      case "subscribe": {
        const filter = this.#filters[step.filter % this.#filters.length]!;
        const { patch } = step;
        this.#watcher.send({ type: "subscribe", id: 1, filter, patch });
        this.#watcher.send({ type: "subscribe", id: 2, filter, count: true, patch });
        // Where changes wait for the interval, so does the snapshot.
        await this.#watcher.settled();
        this.advance(50);
        const { view } = await this.#watcher.take(
          (message) => message.type === "snapshot" && message.id === 1,
        );
        this.#watched.set(view, filter);
        const count = await this.#watcher.take((message) => message.type === "count" && message.id === 2);
        this.#counted.set(count.view, filter);
        break;
      }
      case "unsubscribe": {
        const [view] = [...this.#watched.keys()].slice(step.reader % Math.max(1, this.#watched.size));
        if (view === undefined) break;
        this.#watched.delete(view);
        expect((await this.#watcher.ask({ type: "unsubscribe", view })).type).toBe("ok");
        this.#watcher.views.delete(view);
        break;
      }
      case "stall":
        break;
    }
    await this.compare();
  }

  /** Opens or patches a session over HTTP. Its kind cannot change. */
  async #write({ userId, key, kind, fields }: Extract<arbitraries.HttpStep, { do: "write" }>): Promise<void> {
    const oracle = this.#oracle;
    const now = this.#clock.time;
    const known = oracle.sessions.find(
      (each) => each.userId === userId && isWritten(each) && (each.connection as typeof HTTP).key === key,
    );
    const path = `${userPath(userId)}/sessions/${key}`;
    const { status, json } = await this.#gateway.http("PUT", path, { kind, ...fields, ttlMs: TTL_MS });
    if (known !== undefined && known.kind !== kind) {
      expect([status, Object.keys(json.reasons)]).toEqual([400, ["kind"]]);
      return;
    }
    const evicted = known === undefined ? oracle.sessionToEvict(userId, MAX_SESSIONS) : undefined;
    if (evicted === "full") {
      expect([status, json.errorCode]).toEqual([429, "LIMIT_REACHED"]);
      return;
    }
    if (evicted !== undefined) oracle.end(evicted);
    const { sessionId, created } = json.data;
    expect(created).toBe(known === undefined);
    if (known === undefined) {
      const connection = Object.assign(Object.create(HTTP), { key });
      oracle.open(sessionId, userId, kind, fields as Fields, connection, now);
    } else {
      expect(sessionId).toBe(known.sessionId);
      oracle.update(known, fields as Fields, now);
    }
  }

  async #onSession(
    session: OracleSession | undefined,
    type: string,
    fields: object,
    apply: () => void,
  ): Promise<void> {
    if (session?.connection === undefined) return;
    const { sessionId } = session;
    if (isWritten(session)) {
      expect(await this.#watcher.ask({ type, sessionId, ...fields })).toMatchObject({ code: "NOT_FOUND" });
      return;
    }
    const answer = await (session.connection as TestClient).ask({ type, sessionId, ...fields });
    expect(answer.type).not.toBe("error");
    apply();
  }

  async #leave(index: number, clean: boolean): Promise<void> {
    const socket = this.#sockets[index]!;
    const { managedConnections } = this.#gateway.node.debugCounts();
    if (clean) socket.socket.close(1000);
    else socket.terminate();
    await until(() => this.#gateway.node.debugCounts().managedConnections === managedConnections! - 1);
    for (const session of this.#oracle.sessions.filter((each) => each.connection === socket)) {
      if (clean) this.#oracle.end(session);
      else this.#oracle.lose(session, this.#clock.time);
    }
    this.#sockets[index] = await this.#gateway.connect();
  }

  advance(ms: number): void {
    this.#clock.time += ms;
    this.#oracle.advance(this.#clock.time);
    this.#oracle.expireStatuses(this.#clock.time);
    this.#gateway.node.run(this.#clock.time);
  }

  /** Every door gives what the oracle gives. */
  async compare(): Promise<void> {
    for (const filter of this.#filters) {
      const expected = plain(this.#oracle.query(filter));
      assert.deepEqual(plain(await this.#gateway.query(filter)), expected);
      assert.deepEqual(plain((await this.#watcher.ask({ type: "query", filter })).data), expected);
      const { users } = await this.#watcher.ask({ type: "query", filter, count: true });
      assert.equal(users, Object.keys(expected).length);
      const counted = await this.#gateway.http("POST", `/v1/${APP}/presences/count`, filter);
      assert.deepEqual(counted.json, { data: { users } });
      await this.#compareCheck(filter);
      // A user sees no invisible user but oneself, and oneself only without a look at others.
      const { includeInvisible: _, ...visible } = filter;
      const isOwn = visible.userIds?.length === 1 && visible.userIds[0] === ALICE;
      assert.deepEqual(
        plain((await this.#alice.ask({ type: "query", filter: visible })).data),
        plain(this.#oracle.query({ ...visible, includeInvisible: isOwn })),
      );
    }
    expect((await this.#gateway.http("GET", `/v1/${APP}/stats`)).json).toMatchObject(this.#oracle.counts());
    for (const userId of arbitraries.USERS) {
      const { text, emoji, ...rest } = this.#oracle.statusOf(userId);
      const status = { ...rest, text: text || undefined, emoji: emoji || undefined };
      assert.deepEqual(
        (await this.#gateway.http("GET", `${userPath(userId)}/status`)).json,
        JSON.parse(JSON.stringify({ data: status })),
      );
      const own = this.#oracle.query({ userIds: [userId], includeBackgroundSessions: true })[userId] as
        | { backgroundSessions: OracleSession[]; widgets: OracleSession[] }
        | undefined;
      const rows = [...(own?.backgroundSessions ?? []), ...(own?.widgets ?? [])];
      const { json } = await this.#gateway.http(
        "GET",
        `/v1/${APP}/users/${encodeURIComponent(userId)}/sessions`,
      );
      assert.deepEqual(
        json,
        rows.map(({ isTyping, selectedConversationId }) => ({
          isTyping,
          currentConversationId: selectedConversationId,
        })),
      );
    }
  }

  /** A check of everybody, in the order asked, twice each. */
  async #compareCheck({ userIds: _ids, status: _status, fields: _fields, ...filter }: OracleFilter) {
    const userIds = ["nobody", ...arbitraries.USERS];
    const body = { userIds: [...userIds, ...userIds], filter };
    const { data } = (await this.#gateway.http("POST", `/v1/${APP}/presences/check`, body)).json;
    const result = this.#oracle.query(filter);
    const online = this.#oracle.query({ includeBackgroundSessions: true });
    const absent = userIds.filter((userId) => !(userId in result));
    const statuses = absent.filter((userId) => userId in online);
    assert.deepEqual(
      data.present,
      userIds.filter((userId) => userId in result),
    );
    assert.deepEqual(data.absent, absent);
    assert.deepEqual(
      Object.entries(data.statuses),
      statuses.map((userId) => [userId, statusOf(online[userId])]),
    );
  }

  /** Intervals end; then every watched view, built from snapshot and diffs, is what a query answers. */
  async rest(): Promise<void> {
    this.advance(50);
    await this.#watcher.settled();
    for (const [view, filter] of this.#watched) {
      expect(plain(this.#watcher.views.get(view)!.data)).toEqual(plain(this.#oracle.query(filter)));
    }
    for (const [view, filter] of this.#counted) {
      const { users } = this.#watcher.counts.get(view)!;
      expect(users).toBe(Object.keys(this.#oracle.query(filter)).length);
    }
    for (const filter of this.#filters) {
      const events = await readEvents(this.#gateway, filter);
      expect(plain(JSON.parse((await events.next()).data).data)).toEqual(plain(this.#oracle.query(filter)));
      events.close();
    }
    await until(() => this.#gateway.node.debugCounts().managedConnections === SOCKETS + 2);
  }

  async end(): Promise<void> {
    const { node } = this.#gateway;
    for (const userId of arbitraries.USERS) await this.#gateway.http("DELETE", userPath(userId));
    for (const client of [...this.#sockets, this.#watcher, this.#alice]) client.terminate();
    await until(() => node.debugCounts().managedConnections === 0);
    for (let i = 0; i < 3; i++) this.advance(IDLE_VIEW_MS);
    const leftovers = { ...node.debugCounts(), ...this.#gateway.presence().debugCounts() };
    expect(leftovers).toEqual(Object.fromEntries(Object.keys(leftovers).map((name) => [name, 0])));
  }
}

/** Whether a session is written over HTTP. */
function isWritten({ connection }: OracleSession): boolean {
  return typeof connection === "object" && connection !== null && Object.getPrototypeOf(connection) === HTTP;
}

function plain(data: Record<string, unknown>): Record<string, unknown> {
  return Object.assign(Object.create(null), JSON.parse(JSON.stringify(data)));
}

describe.each(TRANSPORTS)("a live node over %s", (transport) => {
  const clock = { time: 1_000 };
  let gateway: TestGateway;

  beforeAll(async () => {
    const env = {
      TYPING_TIMEOUT_MS: String(TYPING_MS),
      RESUME_WINDOW_MS: String(WINDOW_MS),
      MESSAGES_PER_SECOND: "1000000",
      MAX_SESSIONS_PER_USER: String(MAX_SESSIONS),
      MAX_CONNECTS_PER_SECOND: "1000000",
      HTTP_REQUESTS_PER_SECOND: "1000000",
      HEARTBEAT_INTERVAL_MS: "3600000",
    };
    gateway = await TestGateway.start(transport, {
      env,
      app: { indexedCustom: arbitraries.INDEXED },
      clock: { now: () => clock.time, wallNow: () => clock.time },
    });
  });
  afterAll(() => gateway.stop());

  it(`equals the oracle at every door after each of any steps (${RUNS} runs, MODEL_SEED=${SEED})`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(arbitraries.filter, { minLength: 1, maxLength: 3 }),
        fc.array(
          fc.oneof(
            { weight: 6, arbitrary: arbitraries.step },
            { weight: 1, arbitrary: arbitraries.httpStep },
          ),
          { maxLength: 40, size: "max" },
        ),
        async (filters, steps) => {
          const world = new LiveWorld(gateway, clock, filters);
          await world.start();
          for (const step of steps) await world.do(step);
          await world.rest();
          await world.end();
        },
      ),
      { numRuns: RUNS, seed: SEED, endOnFailure: true },
    );
  }, 600_000);
});
