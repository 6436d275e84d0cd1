import { isDeepStrictEqual } from "node:util";
import { expect } from "vitest";
import { isBlank, NODE_NUMBERS } from "../../../src/core/sessions/profile.ts";
import type { Session, SessionConnection } from "../../../src/core/sessions/session.ts";
import type { SessionKind, SessionPatch } from "../../../src/protocol/wire.ts";
import { App } from "../../../src/server/auth/app.ts";
import type { Command, Entry } from "../../../src/server/cluster/log.ts";
import { createReplicationSink } from "../../../src/server/cluster/replication-sink.ts";
import { Replicator } from "../../../src/server/cluster/replicator.ts";
import { ShardPresence } from "../../../src/server/cluster/shard-presence.ts";
import { AppPresence } from "../../../src/server/gateway/app-presence.ts";
import { FlushBatch } from "../../../src/server/gateway/flush-batch.ts";
import type { SessionLife } from "../../../src/server/gateway/session-life.ts";
import { readSettings } from "../../../src/server/settings/settings.ts";
import { endlessTurn, testTelemetry } from "../../support/stubs.ts";
import { ModelLog } from "./model-log.ts";

export const LEASE_MS = 6_000;
export const WINDOW_MS = 10_000;
export const TYPING_MS = 3_000;
/** Of a user: so few that users reach it. */
export const MAX_SESSIONS = 6;
const RETENTION_MS = 30 * 86_400_000;
/** How many nodes there were: each has a number of its own. */
let nodes = 0;
/** How long a command may take before the link is given up. */
const DEADLINE_MS = 2_000;
const SLICE_MS = 50;
export const APP_ID = "app";

const app = new App({ id: APP_ID, secrets: ["secret"] });
const { limits } = readSettings(
  {
    RESUME_WINDOW_MS: String(WINDOW_MS),
    TYPING_TIMEOUT_MS: String(TYPING_MS),
    MAX_SESSIONS_PER_USER: String(MAX_SESSIONS),
  },
  { openFiles: undefined, readFile: () => "" },
);

/** A socket, as far as it holds sessions. */
export class FakeSocket implements SessionConnection {
  readonly held = new Set<string>();
  readonly told: string[] = [];

  onSessionTaken(session: Session, cause: string): void {
    this.held.delete(session.sessionId);
    this.told.push(`${session.sessionId} ${cause}`);
  }
}

interface Sent {
  readonly command: Command;
  readonly link: number;
  readonly at: number;
}

/**
 * One gateway's core, its replicator, and a link to the log that is as slow and unreliable as the test wants.
 */
export class FakeNode {
  readonly name: string;
  readonly appPresence: AppPresence;
  readonly replicator: Replicator;
  readonly socket = new FakeSocket();
  readonly presence: ShardPresence;
  readonly events: string[] = [];
  now: number;
  /** How wrong its wall clock is. */
  skew = 0;
  isPaused = false;
  /** What it writes arrives, but nothing that is written comes to it. */
  isDeaf = false;
  /** Defects that showed, as the link counts them. They are thrown unless `isFaulty`. */
  readonly defects: unknown[] = [];
  isFaulty = false;
  /** Commands on their way to the log, and answers on their way back. */
  commands: Sent[] = [];
  replies: { readonly link: number; readonly deliver: () => void }[] = [];
  link: number | undefined;
  #links = 0;
  readonly #log: ModelLog;

  constructor(name: string, log: ModelLog, now: number, makeId: () => string) {
    this.name = name;
    this.now = now;
    this.#log = log;
    const presences = new Map<string, AppPresence>();
    const flushBatch = new FlushBatch();
    this.presence = new ShardPresence(
      { presence: (appId) => presences.get(appId), presences: () => presences.values() },
      () => true,
      flushBatch,
    );
    const { events } = this;
    const record = (event: string) => () => void events.push(event);
    this.replicator = new Replicator({
      nodeId: name,
      leaseMs: LEASE_MS,
      intervalMs: 10,
      windowMs: WINDOW_MS,
      retentionMs: RETENTION_MS,
      makeId: () => `${name}-${makeId()}`,
      presence: this.presence,
      wakeBy: () => {},
      events: {
        joined: record("joined"),
        expelled: record("expelled"),
        nodeIdConflict: record("nodeIdConflict"),
        nodeJoined: record("nodeJoined"),
        nodeEvicted: record("nodeEvicted"),
        resync: (reason) => void events.push(reason),
        badInput: record("badInput"),
        failed: (error) => this.#failed(error),
        lag: () => {},
      },
    });
    this.appPresence = new AppPresence(app, {
      limits,
      telemetry: testTelemetry(),
      makeId,
      clock: { now: () => this.now, wallNow: () => this.now + this.skew },
      wakeBy: () => {},
      flushTurn: endlessTurn(),
      flushBatch,
      replicationSink: createReplicationSink(
        APP_ID,
        () => this.replicator,
        (at) => this.replicator.canExpireSessions(at),
        nodes++ % NODE_NUMBERS,
      ),
    });
    presences.set(APP_ID, this.appPresence);
  }

  #failed(error: unknown): void {
    if (!this.isFaulty) throw error;
    this.defects.push(error);
  }

  /** As the link does it. */
  #guard(act: () => void): void {
    this.presence.transact(
      () => this.now,
      () => {
        try {
          act();
        } catch (error) {
          this.#failed(error);
        }
      },
    );
  }

  transact<T>(act: (sessions: SessionLife) => T): T {
    return this.appPresence.transact(this.now, act);
  }

  connect(): void {
    if (this.link !== undefined) return;
    this.link = ++this.#links;
    this.replicator.linked(this.now);
  }

  /** The link is lost; what is on its way may still get there, and is returned. */
  cut(): Sent[] {
    if (this.link === undefined) return [];
    this.link = undefined;
    this.replicator.unlinked(this.now);
    this.replies = [];
    return this.commands.splice(0);
  }

  open(userId: string, kind: SessionKind, patch: SessionPatch): string {
    const { sessionId } = this.transact((sessions) => sessions.open(userId, kind, patch, this.socket));
    this.socket.held.add(sessionId);
    return sessionId;
  }

  /** As `open`, within the limit of a user: what was opened, and which sessions ended for it. */
  openWithin(
    userId: string,
    kind: SessionKind,
    patch: SessionPatch,
  ): { opened?: string; evicted: readonly string[] } {
    const evicted = this.transact((sessions) => sessions.sessionsToEvict(userId));
    if (evicted === "full") return { evicted: [] };
    this.transact((sessions) => {
      for (const session of evicted) sessions.evict(session);
    });
    return { opened: this.open(userId, kind, patch), evicted: evicted.map(({ sessionId }) => sessionId) };
  }

  /** The user's client comes here and asks to go on with a session; false if there is none to go on with. */
  resume(sessionId: string, patch: SessionPatch): boolean {
    const session = this.appPresence.table.get(sessionId);
    if (session === undefined) return false;
    this.transact((sessions) => {
      sessions.takeOver(session, this.socket);
      sessions.update(session, patch);
    });
    this.socket.held.add(sessionId);
    return true;
  }

  /** Does what is due, and asks what there is to ask. */
  step(): void {
    if (this.appPresence.nextDueAt() <= this.now) this.appPresence.run(this.now);
    if (this.link === undefined) return;
    const { link } = this;
    this.#guard(() => {
      for (const command of this.replicator.step(this.now)) {
        this.commands.push({ command, link, at: this.now });
      }
    });
  }

  /** The log does the first command that is on its way. */
  serve(): void {
    const sent = this.commands.shift();
    if (sent !== undefined) this.execute(sent);
  }

  execute({ command, link }: Sent): void {
    const log = this.#log;
    const { replicator } = this;
    const answer = (deliver: () => void) => this.replies.push({ link, deliver });
    switch (command.do) {
      case "readStatus": {
        const look = log.readStatus(command);
        return void answer(() => replicator.statusRead(look, this.now));
      }
      case "scan": {
        const page = log.scan(command);
        return void answer(() => replicator.scanned(page, this.now));
      }
      case "join": {
        const joined = log.join(command);
        return void answer(() => replicator.joined(command.writer, joined, this.now));
      }
      case "append": {
        const appended = log.append(command);
        return void answer(() => replicator.appended(command, appended, this.now));
      }
      case "evict": {
        const isDone = log.evict(command);
        return void answer(() => replicator.evicted(command.writer, isDone));
      }
      case "forget":
        return log.forget(command);
    }
  }

  deliver(): void {
    const reply = this.replies.shift();
    if (reply !== undefined && reply.link === this.link) this.#guard(reply.deliver);
  }

  read(max: number): void {
    const after = this.replicator.readAfter;
    if (this.link === undefined || after === undefined || this.isDeaf) return;
    const entries: Entry[] = this.#log.read(after, max);
    this.#guard(() => this.replicator.read(after, entries, this.now));
  }

  get isLate(): boolean {
    return this.commands.some(({ at }) => this.now - at > DEADLINE_MS);
  }
}

/** Nodes that share a log, and a clock that is turned by hand. */
export class World {
  readonly log: ModelLog;
  readonly nodes: FakeNode[] = [];
  /** Commands of links that were lost: they may be done at any later time. */
  zombies: { node: FakeNode; sent: Sent }[] = [];
  isFrozen = false;
  now = 1_000_000;
  #ids = 0;
  #names = 0;

  constructor(log = new ModelLog()) {
    this.log = log;
  }

  start(name = `n${this.#names++}`): FakeNode {
    const node = new FakeNode(name, this.log, this.now, () => `id${this.#ids++}`);
    this.nodes.push(node);
    node.connect();
    return node;
  }

  kill(node: FakeNode): void {
    this.zombies.push(...node.cut().map((sent) => ({ node, sent })));
    this.nodes.splice(this.nodes.indexOf(node), 1);
    this.log.killed(node.name);
  }

  cut(node: FakeNode): void {
    this.zombies.push(...node.cut().map((sent) => ({ node, sent })));
  }

  raise(count: number): void {
    for (const { node, sent } of this.zombies.splice(0, count)) node.execute(sent);
  }

  /** Moves what is on its way for a node, one thing of each kind for each number. */
  pump(node: FakeNode, rounds: number): void {
    for (let i = 0; i < rounds && !node.isPaused; i++) {
      node.step();
      if (this.isFrozen) return;
      node.serve();
      node.deliver();
      node.read(2);
    }
  }

  /** Everything that is on its way for everybody arrives. */
  flush(): void {
    for (let i = 0; i < 10_000; i++) {
      let isQuiet = true;
      for (const node of this.nodes) {
        if (node.isPaused) continue;
        node.step();
        if (node.link === undefined || this.isFrozen) continue;
        while (node.commands.length > 0) node.serve();
        while (node.replies.length > 0) {
          isQuiet = false;
          node.deliver();
        }
        const before = node.replicator.readAfter;
        node.read(Number.POSITIVE_INFINITY);
        if (node.replicator.readAfter !== before) isQuiet = false;
      }
      if (isQuiet) return;
    }
    throw new Error("it does not come to rest");
  }

  /** Lets time pass, while links work as well as they do. */
  advance(ms: number, pump: (node: FakeNode) => number): void {
    for (let left = ms; left > 0; left -= SLICE_MS) {
      const slice = Math.min(left, SLICE_MS);
      this.now += slice;
      for (const node of this.nodes) {
        if (node.isPaused) continue;
        node.now += slice;
        this.pump(node, pump(node));
        if (node.isLate) this.cut(node);
      }
    }
  }

  /** Everything works again, for so long. */
  heal(ms: number): void {
    this.isFrozen = false;
    this.log.isFull = false;
    this.raise(this.zombies.length);
    const end = this.now + ms;
    for (let longest = 20; this.now < end; longest = Math.min(longest + 10, 250)) {
      const slice = Math.min(longest, end - this.now);
      this.now += slice;
      for (const node of this.nodes) {
        node.isPaused = false;
        node.connect();
        node.now += slice;
      }
      this.flush();
    }
  }

  /** The rows of a node as clients see them, and the owners that it knows. */
  dump(node: FakeNode): Map<string, unknown> {
    const rows = new Map<string, unknown>();
    for (const session of node.appPresence.table.all()) {
      const { sessionId, user, kind, ownership } = session;
      const { visible, selectedConversationId, hasFocus, isTyping, isIdle, custom } = session;
      const owner = ownership!.owner ?? node.name;
      rows.set(sessionId, {
        userId: user.userId,
        kind,
        state: { visible, selectedConversationId, hasFocus, isTyping, isIdle, custom: { ...custom } },
        opened: ownership!.opened,
        lostAt: ownership!.lostAt,
        node: owner.split("-")[0],
        order: user.sessions.map((each) => each.sessionId),
      });
    }
    return rows;
  }

  /** What users have declared, as a node knows it. When that was used is not the same to the millisecond. */
  statuses(node: FakeNode): Record<string, unknown> {
    const known = [...node.appPresence.table.profiles].filter(([, profile]) => !isBlank(profile));
    const said = known.map(([userId, { usedAt: _, ...profile }]) => [userId, profile]);
    return Object.assign(Object.create(null), Object.fromEntries(said));
  }

  /** All nodes show the same, and it is what the sockets hold and nothing else. */
  compare(): void {
    const [first, ...others] = this.nodes;
    if (first === undefined) return;
    const expected = this.dump(first);
    for (const node of others) {
      const rows = this.dump(node);
      if (!isDeepStrictEqual(sorted(rows), sorted(expected))) {
        expect(sorted(rows), `${node.name} beside ${first.name}`).toEqual(sorted(expected));
      }
    }
    const statuses = this.statuses(first);
    for (const node of others)
      expect(this.statuses(node), `${node.name} beside ${first.name}`).toEqual(statuses);
    const held = this.nodes.flatMap(({ name, socket }) => [...socket.held].map((id) => `${id} on ${name}`));
    const shown = [...expected].map(([id, row]) => `${id} on ${(row as { node: string }).node}`);
    expect(shown.sort()).toEqual(held.sort());
    expect([...this.log.rows.keys()].sort()).toEqual([...expected.keys()].sort());
  }
}

function sorted(rows: Map<string, unknown>): [string, unknown][] {
  return [...rows].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Whom each node shows. */
export const users = (world: World) =>
  world.nodes.map((node) => [...node.appPresence.table.all()].map(({ user }) => user.userId).sort());

/** So many nodes that have joined. */
export function worldOf(count: number): World {
  const world = new World();
  for (let i = 0; i < count; i++) world.start();
  world.heal(100);
  return world;
}
