import { PEERS } from "../peers/peers.ts";
import { OWN_KINDS } from "./own-kinds.ts";
import type { ServerKind } from "./server-kind.ts";

/** Gateways first: what they send, the floors are told to send. */
export const SERVER_KINDS: readonly ServerKind[] = [...OWN_KINDS, ...PEERS];

/** The kinds that run here, and a line for each of the others that says why it does not. */
export async function availableKinds(
  wanted: readonly ServerKind[],
): Promise<{ kinds: readonly ServerKind[]; notes: readonly string[] }> {
  const kinds: ServerKind[] = [];
  const notes: string[] = [];
  for (const kind of wanted) {
    const reason = await kind.missing();
    if (reason === undefined) kinds.push(kind);
    else notes.push(`${kind.name} is missing: ${reason}`);
  }
  return { kinds, notes };
}
