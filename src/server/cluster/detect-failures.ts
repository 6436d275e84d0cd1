import type { EndCause } from "../../protocol/codes.ts";
import type { Command } from "./log.ts";
import type { RemoteNodes } from "./remote-nodes.ts";
import type { Tables } from "./tables.ts";
import type { WriteBuffer } from "./write-buffer.ts";

/** Those who are alive act one after the other, so that mostly one of them has to. */
const STAGGER_MS = 500;
const RETRY_MS = 1_000;
const NODE_LOST: EndCause = "node-lost";

/** More are left for the next time: each costs all nodes a walk through all sessions. */
const MAX_BURIALS = 8;

/**
 * Declares those dead who have not been heard of for a lease, and ends the sessions that they left and nobody took over within
 * the window. Both are said in the log: so it is done once, and for all nodes at the same place among all that happens.
 */
export function detectFailures(
  peers: RemoteNodes,
  tables: Tables,
  outbound: WriteBuffer,
  self: string,
  now: number,
): Command[] {
  const commands: Command[] = [];
  const gone = new Set<string>();
  const rankedMs = peers.rank(self) * STAGGER_MS;
  for (const peer of [...peers]) {
    const { writer, seq, heardAt, leaseMs, expireSessionsAt } = peer;
    if (now < peer.retryAt) continue;
    if (expireSessionsAt === undefined) {
      if (now < heardAt + leaseMs || commands.length === MAX_BURIALS) continue;
      commands.push({ do: "evict", writer, seq });
    } else {
      if (now < expireSessionsAt + rankedMs) continue;
      gone.add(writer);
    }
    peer.retryAt = now + RETRY_MS;
  }
  if (gone.size === 0) return commands;
  const owners = endSessionsOf(gone, tables, outbound);
  for (const writer of gone) {
    if (owners.has(writer)) continue;
    commands.push({ do: "forget", writer });
    peers.forget(writer);
  }
  return commands;
}

/** Returns those who have any. */
function endSessionsOf(gone: ReadonlySet<string>, tables: Tables, outbound: WriteBuffer): Set<string> {
  const owners = new Set<string>();
  for (const { appId, session } of tables.all()) {
    const owner = session.origin?.owner;
    if (owner === undefined || !gone.has(owner)) continue;
    owners.add(owner);
    if (outbound.hasUnconfirmedWrite(session.sessionId)) continue;
    outbound.add(session.sessionId, { kind: "end", appId, session: undefined, cause: NODE_LOST });
  }
  return owners;
}
