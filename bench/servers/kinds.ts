import { PEERS } from "../peers/peers.ts";
import { OWN_KINDS } from "./own-kinds.ts";
import type { ServerKind } from "./server-kind.ts";

/** Gateways are first, because the baselines send what a gateway sent. */
export const SERVER_KINDS: readonly ServerKind[] = [...OWN_KINDS, ...PEERS];

/** The kinds that run on this machine, a note that describes each peer, and a note for each missing kind. */
export async function availableKinds(
  wanted: readonly ServerKind[],
): Promise<{ kinds: readonly ServerKind[]; notes: readonly string[] }> {
  const kinds: ServerKind[] = [];
  const notes: string[] = [];
  for (const kind of wanted) {
    const reason = (await kind.missing()) ?? (kind.role === "peer" ? await tryOut(kind) : undefined);
    if (reason !== undefined) {
      notes.push(`${kind.name} is missing: ${reason}`);
      continue;
    }
    kinds.push(kind);
    if (kind.about !== undefined) notes.push(`${kind.name}: ${kind.about()}`);
  }
  return { kinds, notes };
}

/** Starts a peer once. A peer that does not start is left out and does not end the run. */
async function tryOut(kind: ServerKind): Promise<string | undefined> {
  try {
    const server = await kind.start();
    await server.stop();
    return undefined;
  } catch (error) {
    return `it does not start (${(error as Error).message})`;
  }
}
