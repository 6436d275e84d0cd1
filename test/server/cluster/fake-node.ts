import { NODE_NUMBERS } from "../../../src/core/sessions/profile.ts";
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
import type { ModelLog } from "./model-log.ts";

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

/** A command on its way to the log. */
export interface Sent {
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
