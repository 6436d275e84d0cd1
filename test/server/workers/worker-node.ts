import { makeId } from "../../../src/core/ids.ts";
import type { Session, SessionConnection } from "../../../src/core/sessions/session.ts";
import type { SessionPatch } from "../../../src/protocol/wire.ts";
import { App } from "../../../src/server/auth/app.ts";
import { createAwakeClock } from "../../../src/server/clock.ts";
import { Cluster } from "../../../src/server/cluster/cluster.ts";
import { GatewayNode } from "../../../src/server/gateway/gateway-node.ts";
import type { SessionLife } from "../../../src/server/gateway/session-life.ts";
import { createCounters } from "../../../src/server/gateway/telemetry.ts";
import { readSettings } from "../../../src/server/settings/settings.ts";
import type { Channel } from "../../../src/server/workers/channel.ts";
import { LogClient } from "../../../src/server/workers/log-client.ts";

export const WINDOW_MS = 1_000;
const APP_ID = "app";
const DAY_MS = 86_400_000;

/** A node of a gateway with workers, without sockets: its clients are calls. */
export class WorkerNode {
  readonly node: GatewayNode;
  readonly cluster: Cluster;
  readonly log: string[] = [];
  /** The socket of all sessions of this node. */
  readonly #connection: SessionConnection = { onSessionTaken: () => {} };

  constructor(channel: Channel, nodeId: string) {
    const { limits } = readSettings(
      { RESUME_WINDOW_MS: String(WINDOW_MS) },
      { openFiles: 65_536, readFile: () => "" },
    );
    const clock = createAwakeClock();
    const crashed = (error: unknown) => void this.log.push(`crashed: ${error}`);
    const record = (_details: object, message: string) => void this.log.push(message);
    this.cluster = new Cluster({
      logs: new LogClient(channel),
      shards: 1,
      apps: [{ id: APP_ID }],
      nodeId,
      // No test waits for the end of a lease.
      leaseMs: 60_000,
      windowMs: WINDOW_MS,
      retentionMs: DAY_MS,
      clock,
      makeId,
      log: { info: record, warn: record },
      observeLag: () => {},
      crashed,
      nodeIdConflict: () => crashed("the node id is taken"),
    });
    this.node = new GatewayNode({
      apps: [new App({ id: APP_ID, secrets: ["secret"] })],
      limits,
      clock,
      telemetry: {
        ...createCounters(),
        crashed,
        refused: () => {},
        observeDiffDelay: () => {},
        observeQuery: () => {},
      },
      nodeId,
      makeId,
      random: Math.random,
      replication: this.cluster,
    });
    this.cluster.start(this.node);
  }

  get isReady(): boolean {
    return this.cluster.isReady;
  }

  /** What this node shows: the state of each session, by user. */
  get shown(): Record<string, { readonly sessionId: string; readonly conversation: string | null }> {
    const sessions = Array.from(this.#presence.table.all(), (session) => [
      session.user.userId,
      { sessionId: session.sessionId, conversation: session.selectedConversationId },
    ]);
    return Object.fromEntries(sessions);
  }

  open(userId: string, patch: SessionPatch = {}): string {
    return this.#transact((sessions) => sessions.open(userId, "widget", patch, this.#connection)).sessionId;
  }

  update(sessionId: string, patch: SessionPatch): void {
    this.#transact((sessions) => sessions.update(this.#session(sessionId), patch));
  }

  /** A client has come here, and goes on with a session. */
  resume(sessionId: string): void {
    this.#transact((sessions) => sessions.takeOver(this.#session(sessionId), this.#connection));
  }

  async stop(): Promise<void> {
    this.node.stop();
    await this.cluster.leave();
  }

  get #presence() {
    return this.node.presence(APP_ID)!;
  }

  #session(sessionId: string): Session {
    return this.#presence.table.get(sessionId)!;
  }

  #transact<T>(act: (sessions: SessionLife) => T): T {
    return this.#presence.transact(this.node.clock.now(), act);
  }
}
