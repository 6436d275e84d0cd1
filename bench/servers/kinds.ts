import { PEERS } from "../peers/peers.ts";
import { OWN_KINDS } from "./own-kinds.ts";
import type { ServerKind } from "./server-kind.ts";

/** Gateways first: what they send, the floors are told to send. */
export const SERVER_KINDS: readonly ServerKind[] = [...OWN_KINDS, ...PEERS];

/** The kinds that run here, and a line for each peer, and for each of the others that says why it does not run. */
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

/** A peer that is there, but does not run, is no reason to end the whole run. */
async function tryOut(kind: ServerKind): Promise<string | undefined> {
  try {
    const server = await kind.start();
    await server.stop();
    return undefined;
  } catch (error) {
    return `it does not start (${(error as Error).message})`;
  }
}
