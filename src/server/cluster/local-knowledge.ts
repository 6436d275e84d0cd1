import type { Knowledge } from "./decisions.ts";
import type { Reconciler } from "./reconciler.ts";
import type { RemoteNodes } from "./remote-nodes.ts";
import type { ShardPresence } from "./shard-presence.ts";
import type { Writer } from "./writer.ts";

/**
 * The most sessions of one user that a node takes in from the log, more than any node lets in. Each session
 * costs a node all that the user has.
 */
const MAX_SESSIONS_OF_A_USER = 10_000;

export interface KnowledgeSources {
  readonly presence: ShardPresence;
  readonly remoteNodes: RemoteNodes;
  readonly writer: Writer;
  readonly reconciler: Reconciler;
}

/** What this node knows at the moment a decision is made. It only reads. */
export class LocalKnowledge implements Knowledge {
  readonly #sources: KnowledgeSources;

  constructor(sources: KnowledgeSources) {
    this.#sources = sources;
  }

  wasWriter(writer: string): boolean {
    return this.#sources.writer.wasWriter(writer);
  }

  isRegistered(writer: string): boolean {
    return this.#sources.remoteNodes.get(writer)?.seq !== undefined;
  }

  isEvicted(writer: string): boolean {
    return this.#sources.remoteNodes.get(writer)?.expireSessionsAt !== undefined;
  }

  hasUnconfirmedWrite(sessionId: string): boolean {
    return this.#sources.writer.buffer.hasUnconfirmedWrite(sessionId);
  }

  hasUnconfirmedOverride(sessionId: string): boolean {
    return this.#sources.writer.buffer.hasUnconfirmedOverride(sessionId);
  }

  hasSentOverride(sessionId: string): boolean {
    return this.#sources.writer.buffer.hasSentOverride(sessionId);
  }

  hasEnded(sessionId: string): boolean {
    return this.#sources.reconciler.hasEnded(sessionId);
  }

  hasHeard(sessionId: string): boolean {
    return this.#sources.reconciler.hasHeard(sessionId);
  }

  hasTooManySessions(appId: string, userId: string): boolean {
    return this.#sources.presence.countSessions(appId, userId) >= MAX_SESSIONS_OF_A_USER;
  }
}
