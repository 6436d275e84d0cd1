import { idProblem } from "../../protocol/rules.ts";
import {
  type ConfirmedOp,
  decideConfirmation,
  decideProfile,
  decideRecord,
  type Knowledge,
  type ReceivedRecord,
} from "./decisions.ts";
import type { EffectApplier } from "./effect-applier.ts";
import type { Entry, ScannedRow } from "./log.ts";
import type { Reconciler } from "./reconciler.ts";
import { isOfProfile, parseRecord, profileKey, readProfile, readRecord } from "./record.ts";
import type { ShardPresence } from "./shard-presence.ts";
import type { Writer } from "./writer.ts";

export type BatchEntry = Extract<Entry, { kind: "batch" }>;

export interface RecordIntakeOptions {
  readonly presence: ShardPresence;
  readonly writer: Writer;
  readonly reconciler: Reconciler;
  readonly knowledge: Knowledge;
  readonly effects: EffectApplier;
  /** Called for a record that no node with the same version can have written. */
  readonly rejected: () => void;
  /** Called with the time from the making of a batch of this node until it was read back. */
  readonly observeLag: (ms: number) => void;
  /** Called for a defect that a record has shown. The records after it are taken in all the same. */
  readonly failed: (error: unknown, now: number) => void;
}

/**
 * Takes in what was read, one record after the other: it reads a record, has it decided, and has the effect
 * applied before it reads the next one. A record that shows a defect does not keep the others from being
 * taken in.
 */
export class RecordIntake {
  readonly #options: RecordIntakeOptions;

  constructor(options: RecordIntakeOptions) {
    this.#options = options;
  }

  /** Takes in a batch of another writer. */
  takeBatch(writer: string, records: readonly string[], now: number): void {
    for (let i = 0; i + 1 < records.length; i += 2)
      this.#take("log", writer, records[i]!, records[i + 1]!, now);
  }

  /** Takes in a row of any writer. */
  takeRow({ owner, sessionId, text }: ScannedRow, now: number): void {
    this.#take("scan", owner, sessionId, text, now);
  }

  /** Takes in a batch of this node, under its present name or an earlier one, that was read back. */
  confirm({ writer: name, seq, records, isFull }: BatchEntry, now: number): void {
    const { writer, reconciler, observeLag } = this.#options;
    if (reconciler.isCollecting) {
      for (let i = 0; i < records.length; i += 2) reconciler.heard(records[i]!);
    }
    if (!writer.hasWrittenAs(name)) return;
    const batch = writer.buffer.confirm(seq);
    if (batch === undefined) return;
    observeLag(now - batch.madeAt);
    const done = records.length === 2 * batch.ops.length ? undefined : new Set(records);
    for (const { sessionId, kind } of batch.ops) {
      const isDone = done === undefined || done.has(sessionId);
      if (isFull && !isDone) writer.buffer.addAgain(batch, sessionId);
      if (writer.buffer.hasUnconfirmedWrite(sessionId)) continue;
      const { appId, cause } = batch.writes.get(sessionId)!;
      this.#conclude({ kind, appId, sessionId, cause, isDone }, now);
    }
    if (isFull) writer.wake();
  }

  #take(
    source: ReceivedRecord["source"],
    writer: string,
    sessionId: string,
    text: string,
    now: number,
  ): void {
    try {
      const { presence, reconciler, knowledge, effects, rejected } = this.#options;
      const parsed = parseRecord(text);
      if (parsed === undefined) return rejected();
      const { appId } = parsed;
      if (!presence.serves(appId)) return;
      if (isOfProfile(parsed)) {
        const record = readProfile(parsed);
        if (record === undefined || sessionId !== profileKey(appId, record.userId)) return rejected();
        reconciler.heard(sessionId);
        const known = presence.profile(appId, record.userId);
        return effects.apply(decideProfile({ source, writer, appId, sessionId, record }, known), now);
      }
      const session = presence.get(appId, sessionId);
      const record = readRecord(parsed, session);
      const isBadId = session === undefined && idProblem(sessionId) !== undefined;
      if (record === undefined || isBadId || (source === "scan" && record.kind !== "row")) return rejected();
      reconciler.heard(sessionId);
      const received = { source, writer, appId, sessionId, record };
      effects.apply(decideRecord(received, session, knowledge), now);
    } catch (error) {
      this.#options.failed(error, now);
    }
  }

  #conclude(op: ConfirmedOp, now: number): void {
    const { presence, knowledge, effects, failed } = this.#options;
    try {
      effects.apply(decideConfirmation(op, presence.get(op.appId, op.sessionId), knowledge), now);
    } catch (error) {
      failed(error, now);
    }
  }
}
