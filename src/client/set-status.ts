import { MIN_STATUS_MS } from "../protocol/rules.ts";
import type { StatusPatch } from "../protocol/wire.ts";
import { protocolError } from "./errors.ts";
import { internalsOf } from "./internals.ts";
import { LONGEST_TIMER_MS } from "./limits.ts";
import { now } from "./pace.ts";
import { ask } from "./query.ts";
import type { PresenceClient } from "./types.ts";

/** What a user declares. Absent fields stay as they are; null resets a field. */
export interface StatusChange extends StatusPatch {
  /** For app tokens only, which have no user of their own. */
  readonly userId?: string | undefined;
}

interface Waiting {
  change: StatusChange;
  /** When the status is over, if it is to be. */
  endsAt: number | undefined;
  /** Whether it has gone out: what is declared after that is a change of its own. */
  isSent: boolean;
  readonly done: Promise<void>;
}

/** The latest change of each user's status that the gateway has not confirmed, by client. */
const waiting = new WeakMap<PresenceClient, Map<string | undefined, Waiting>>();

/**
 * Declares the user's status. Resolves when the gateway has it. It is sent again on a new connection only if
 * the gateway has not confirmed it. Changes that wait are merged and go out in order. Rejects with a
 * `PresenceError` if the gateway refuses it, or the client is closed or fails before.
 */
export function setStatus(client: PresenceClient, { userId, ...change }: StatusChange): Promise<void> {
  const byUser = waiting.get(client) ?? new Map<string | undefined, Waiting>();
  waiting.set(client, byUser);
  const { expiresInMs } = change;
  const before = byUser.get(userId);
  const isMerged = before && !before.isSent;
  const endsAt = expiresInMs == null ? undefined : now() + expiresInMs;
  if (isMerged) {
    before.change = { ...before.change, ...change };
    if (expiresInMs !== undefined) before.endsAt = endsAt;
    return before.done;
  }
  const add = internalsOf(client);
  const send = () =>
    ask(
      add,
      () => {
        next.isSent = true;
        return { type: "status", userId, ...next.change, ...remaining(next.endsAt) };
      },
      () => (answer) => {
        if (answer.type !== "ok") throw protocolError(answer.type);
        return true;
      },
      LONGEST_TIMER_MS,
    );
  const next: Waiting = {
    change,
    endsAt,
    isSent: false,
    // The one before may be sent again: this one waits until it cannot.
    done: (before?.done.catch(() => {}) ?? Promise.resolve()).then(send).then(() => {}),
  };
  const forget = () => {
    if (byUser.get(userId) === next) byUser.delete(userId);
  };
  next.done.then(forget, forget);
  byUser.set(userId, next);
  return next.done;
}

/** A status that came late ends when it was meant to. */
function remaining(endsAt: number | undefined): StatusPatch {
  if (endsAt === undefined) return {};
  return { expiresInMs: Math.max(MIN_STATUS_MS, Math.round(endsAt - now())) };
}
