import { isSameStatus, patchStatus, resetStatus, type Status } from "../../core/sessions/status.ts";
import type { DeclaredStatus, StatusPatch } from "../../protocol/wire.ts";
import type { SessionContext } from "./session-context.ts";

const WHOLE: StatusPatch = { availability: null, text: null, emoji: null, expiresInMs: null };

/** What the users of one app declare: changed in a transaction, like sessions. */
export class DeclaredStatuses {
  readonly #context: SessionContext;

  constructor(context: SessionContext) {
    this.#context = context;
  }

  /** Changes the fields that the patch names. */
  patch(userId: string, patch: StatusPatch): void {
    const { table, clock } = this.#context;
    this.#write(userId, patchStatus(table.statusOf(userId), patch, clock.wallNow()));
  }

  /** Sets the whole status: what the patch does not name is the default again. */
  replace(userId: string, patch: StatusPatch): void {
    const given = Object.entries(patch).filter(([, value]) => value !== undefined);
    this.patch(userId, { ...WHOLE, ...Object.fromEntries(given) });
  }

  reset(userId: string): void {
    const { table, clock } = this.#context;
    this.#write(userId, resetStatus(table.statusOf(userId), clock.wallNow()));
  }

  /** Another node reports a status. The one with the higher version stays. */
  applyRemote(userId: string, status: Status): void {
    if (status.version > this.#context.table.statusOf(userId).version) this.#show(userId, status);
  }

  /** The time of a status is over, by the clock of this node. */
  expire(userId: string): void {
    const { table, clock, deadlines, time } = this.#context;
    const status = table.statusOf(userId);
    if (status.expiresAt === undefined) return;
    const leftMs = status.expiresAt - clock.wallNow();
    // The clock of deadlines stands still while the process does.
    if (leftMs > 0) deadlines.startStatus(userId, time.now + leftMs);
    else this.#show(userId, resetStatus(status, status.version));
  }

  #write(userId: string, status: Status): void {
    const before = this.#context.table.statusOf(userId);
    if (isSameStatus(before, status)) return;
    this.#show(userId, status);
    this.#context.replicationSink?.declared(userId, status);
  }

  #show(userId: string, status: Status): void {
    const { table, clock, deadlines, time, views } = this.#context;
    const change = table.declare(userId, status);
    if (status.expiresAt === undefined) deadlines.cancelStatus(userId);
    else deadlines.startStatus(userId, time.now + Math.max(0, status.expiresAt - clock.wallNow()));
    if (change !== undefined) views.markDirty(change, time.now);
  }
}

/** A status as clients get it: without what only nodes need, and without absent fields. */
export function describeStatus({ availability, text, emoji, expiresAt }: Status): DeclaredStatus {
  return {
    availability,
    ...(text !== undefined && { text }),
    ...(emoji !== undefined && { emoji }),
    ...(expiresAt !== undefined && { expiresAt }),
  };
}
