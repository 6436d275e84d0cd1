import type { Session } from "../../core/sessions/session.ts";
import type { Knowledge } from "./decisions.ts";
import type { Effect } from "./effect.ts";
import type { Command } from "./log.ts";
import type { RemoteNodes } from "./remote-nodes.ts";

/** Live nodes act one after the other, so that mostly only one of them has to. */
const STAGGER_MS = 500;
const RETRY_MS = 1_000;
/** The rest waits for the next time: each eviction costs every node a walk through all sessions. */
const MAX_EVICTIONS = 8;

export interface Detection {
  readonly commands: readonly Command[];
  readonly effects: readonly Effect[];
}

export interface DetectionInput {
  readonly remoteNodes: RemoteNodes;
  readonly sessions: Iterable<{ readonly appId: string; readonly session: Session }>;
  readonly knowledge: Knowledge;
  /** The name of this node as a writer. */
  readonly self: string;
}

/**
 * Evicts nodes that have been silent for a lease, and ends the sessions of evicted nodes that no node took
 * over within the window. Both are written to the log. So each happens once, and at the same position for all
 * nodes.
 */
export function detectFailures(
  { remoteNodes, sessions, knowledge, self }: DetectionInput,
  now: number,
): Detection {
  const commands: Command[] = [];
  const expired = new Set<string>();
  const staggerMs = remoteNodes.rank(self) * STAGGER_MS;
  for (const node of remoteNodes) {
    const { writer, seq, heardAt, leaseMs, expireSessionsAt } = node;
    if (now < node.retryAt) continue;
    if (expireSessionsAt === undefined) {
      if (now < heardAt + leaseMs || commands.length === MAX_EVICTIONS) continue;
      commands.push({ do: "evict", writer, seq });
    } else {
      if (now < expireSessionsAt + staggerMs) continue;
      expired.add(writer);
    }
    node.retryAt = now + RETRY_MS;
  }
  if (expired.size === 0) return { commands, effects: [] };
  const effects: Effect[] = [];
  const owners = new Set<string>();
  for (const { appId, session } of sessions) {
    const owner = session.ownership?.owner;
    if (owner === undefined || !expired.has(owner)) continue;
    owners.add(owner);
    const { sessionId } = session;
    if (!knowledge.hasUnconfirmedWrite(sessionId)) effects.push({ do: "expire", appId, sessionId });
  }
  for (const writer of expired) {
    if (owners.has(writer)) continue;
    commands.push({ do: "forget", writer });
    remoteNodes.forget(writer);
  }
  return { commands, effects };
}
