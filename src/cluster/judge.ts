import type { EndCause } from "../protocol/codes.ts";
import type { Command } from "./log.ts";
import type { Outbound } from "./outbound.ts";
import type { Peers } from "./peers.ts";
import type { Tables } from "./tables.ts";

/** Those who are alive act one after the other, so that mostly one of them has to. */
const STAGGER_MS = 500;
const RETRY_MS = 1_000;
const NODE_LOST: EndCause = "node-lost";

/**
 * Declares those dead who have not been heard of for a lease, and ends the sessions that they left and nobody took over within
 * the window. Both are said in the log: so it is done once, and for all nodes at the same place among all that happens.
 */
export function judge(
  peers: Peers,
  tables: Tables,
  outbound: Outbound,
  self: string,
  now: number,
): Command[] {
  const commands: Command[] = [];
  for (const peer of [...peers]) {
    const { writer, seq, heardAt, leaseMs, eraseAt } = peer;
    if (now < peer.retryAt) continue;
    if (eraseAt === undefined) {
      if (now < heardAt + leaseMs) continue;
      commands.push({ do: "bury", writer, seq });
    } else {
      if (now < eraseAt + peers.rank(self) * STAGGER_MS) continue;
      if (!endSessionsOf(writer, tables, outbound)) {
        commands.push({ do: "forget", writer });
        peers.forget(writer);
      }
    }
    peer.retryAt = now + RETRY_MS;
  }
  return commands;
}

/** Returns false if there are none. */
function endSessionsOf(writer: string, tables: Tables, outbound: Outbound): boolean {
  let isOwner = false;
  for (const { appId, session } of tables.all()) {
    if (session.origin?.owner !== writer) continue;
    isOwner = true;
    if (outbound.concerns(session.sessionId)) continue;
    outbound.note(session.sessionId, { kind: "end", appId, session: undefined, cause: NODE_LOST });
  }
  return isOwner;
}
