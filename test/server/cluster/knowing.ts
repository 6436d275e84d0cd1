import type { Knowledge } from "../../../src/server/cluster/decisions.ts";

/** A node that knows nothing but what a test says. */
export function knowing(known: Partial<Record<keyof Knowledge, boolean>> = {}): Knowledge {
  const answer = (name: keyof Knowledge) => () => known[name] ?? false;
  return {
    wasWriter: answer("wasWriter"),
    isRegistered: answer("isRegistered"),
    isEvicted: answer("isEvicted"),
    hasUnconfirmedWrite: answer("hasUnconfirmedWrite"),
    hasUnconfirmedOverride: answer("hasUnconfirmedOverride"),
    hasSentOverride: answer("hasSentOverride"),
    hasEnded: answer("hasEnded"),
    hasHeard: answer("hasHeard"),
    hasTooManySessions: answer("hasTooManySessions"),
  };
}
