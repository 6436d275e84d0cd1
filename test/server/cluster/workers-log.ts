import type {
  AppendReply,
  CommandOf,
  Entry,
  JoinReply,
  LogStatus,
  ScanBatch,
} from "../../../src/server/cluster/log.ts";
import { MemoryLog } from "../../../src/server/workers/memory-log.ts";
import { ModelLog } from "./model-log.ts";

/**
 * The log of a gateway with workers in the place of the model. It is trimmed all the time, and never lost or
 * full: it ends together with its workers. It notices when one of them ends.
 */
export class WorkersLog extends ModelLog {
  readonly #log = new MemoryLog({ maxLength: 40, maxLogBytes: 1e9, maxRowBytes: 1e9, maxProfiles: 1_000 });
  /** All entries that there have been. */
  readonly #all: Entry[] = [];
  #wallNow = 0;

  override get rows(): ReadonlyMap<string, { owner: string; text: string }> {
    const rows = new Map<string, { owner: string; text: string }>();
    for (let from = "0"; !from.startsWith("profiles"); ) {
      const { next, rows: some } = this.#log.scan({ do: "scan", from });
      for (const { sessionId, owner, text } of some) rows.set(sessionId, { owner, text });
      from = next!;
    }
    return rows;
  }

  override get entries(): readonly Entry[] {
    return this.#all;
  }

  override readStatus(command: CommandOf<"readStatus">): LogStatus {
    return this.#log.readStatus(command);
  }

  override scan(command: CommandOf<"scan">): ScanBatch {
    return this.#log.scan(command);
  }

  override read(after: string, max = Number.POSITIVE_INFINITY): Entry[] {
    return this.#log.read(after).slice(0, max);
  }

  override join(command: CommandOf<"join">): JoinReply {
    return this.#recording(() => this.#log.join(command));
  }

  override append(command: CommandOf<"append">): AppendReply {
    return this.#recording(() => this.#log.append(command, this.#wallNow));
  }

  override evict(command: CommandOf<"evict">): boolean {
    return this.#recording(() => this.#log.evict(command));
  }

  override forget(command: CommandOf<"forget">): void {
    this.#log.forget(command);
  }

  override killed(name: string): void {
    this.#recording(() => {
      const { register } = this.#log.readStatus({ do: "readStatus", at: undefined });
      for (const { writer } of register) if (writer.startsWith(`${name}-`)) this.#log.drop(writer);
    });
  }

  override trim(): void {}

  override lose(): void {}

  override save(): () => void {
    return () => {};
  }

  #recording<T>(act: () => T): T {
    const { end } = this.#log.readStatus({ do: "readStatus", at: undefined });
    const result = act();
    this.#all.push(...this.#log.read(end.id));
    return result;
  }
}
