import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "../clock.ts";
import type { Command, Log } from "./log.ts";
import type { Replicator } from "./replicator.ts";

export interface LinkOptions {
  readonly connect: () => Promise<Log>;
  readonly replicator: Replicator;
  /** Does what calls the replicator, which may change sessions, then has the changes shown. */
  readonly transact: (act: () => void) => void;
  readonly clock: Clock;
  readonly leaseMs: number;
  /** At most one read in this time: one read returns what several nodes wrote meanwhile. */
  readonly intervalMs: number;
  readonly counts: LinkCounts;
  readonly events: {
    connected(): void;
    /** Called once for several attempts that fail in a row. */
    disconnected(reason: Error): void;
    crashed(error: unknown): void;
  };
}

export interface LinkCounts {
  batches: number;
  ops: number;
  entries: number;
  records: number;
}

/** Shorter than the time for which nodes that were without Redis wait for each other. */
const MAX_BACKOFF_MS = 1_000;
const MIN_BACKOFF_MS = 50;
const MAX_TICK_MS = 250;
/** A link that breaks sooner counts as a failed attempt, so the next attempts come less often. */
const STEADY_MS = 1_000;
/**
 * Entries that fail to be read this many times, for example as they are too large to come in time, are
 * skipped.
 */
const MAX_FAILED_READS = 3;

/**
 * Carries out the commands of a replicator, tells it the replies and the time, and connects again after a
 * failure.
 */
export class Link {
  readonly #options: LinkOptions;
  readonly #running: Promise<void>;
  #log: Log | undefined;
  #isClosed = false;
  readonly #ticker: NodeJS.Timeout;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #armedFor = Number.POSITIVE_INFINITY;
  #resumeReading = () => {};
  #acknowledgedAt = Number.NEGATIVE_INFINITY;
  /** The entry after which reading failed, and how many times. */
  #failedReads = { after: "", times: 0 };

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#ticker = setInterval(() => this.#step(), Math.min(MAX_TICK_MS, options.leaseMs / 10));
    this.#running = this.#run();
  }

  /** When the log last took a batch of this node, if only a heartbeat. */
  get acknowledgedAt(): number {
    return this.#acknowledgedAt;
  }

  /** Has the replicator called at a time, when there will be something to do. */
  wakeBy(due: number): void {
    if (this.#log === undefined || due >= this.#armedFor) return;
    this.#disarm();
    this.#armedFor = due;
    const ms = due - this.#options.clock.now();
    // After everything that came in during this turn of the event loop.
    if (ms <= 0) this.#immediate = setImmediate(() => this.#step());
    else this.#timer = setTimeout(() => this.#step(), ms);
  }

  /** Ends the link. Batches that are on their way may be lost. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#ticker);
    this.#disarm();
    this.#log?.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { connect, replicator, clock, events } = this.#options;
    for (let failures = 0; !this.#isClosed; failures++) {
      let linkedAt = Number.POSITIVE_INFINITY;
      try {
        const log = await connect();
        if (this.#isClosed) return log.close();
        this.#log = log;
        events.connected();
        linkedAt = clock.now();
        replicator.linked(linkedAt);
        this.#step();
        await Promise.race([log.ended, this.#read(log)]);
      } catch (error) {
        this.#log?.close();
        this.#log = undefined;
        replicator.unlinked(clock.now());
        this.#resumeReading();
        if (this.#isClosed) return;
        if (clock.now() - linkedAt >= STEADY_MS) failures = 0;
        if (failures === 0) events.disconnected(error as Error);
        await delay(
          MIN_BACKOFF_MS + Math.random() * Math.min(MAX_BACKOFF_MS, MIN_BACKOFF_MS * 2 ** failures),
        );
      }
    }
  }

  async #read(log: Log): Promise<void> {
    const { replicator, clock, counts, intervalMs } = this.#options;
    while (this.#log === log || this.#log === undefined) {
      const after = replicator.readAfter;
      if (after === undefined) {
        await new Promise<void>((resolve) => {
          this.#resumeReading = resolve;
        });
        continue;
      }
      const startedAt = clock.now();
      const entries = await log.read(after).catch((error) => {
        this.#countFailedRead(after);
        throw error;
      });
      counts.entries += entries.length;
      for (const entry of entries) if (entry.kind === "batch") counts.records += entry.records.length / 2;
      this.#guard(() => replicator.read(after, entries, clock.now()));
      const rest = startedAt + intervalMs - clock.now();
      if (rest >= 1) await delay(rest);
    }
  }

  #countFailedRead(after: string): void {
    const times = this.#failedReads.after === after ? this.#failedReads.times + 1 : 1;
    this.#failedReads = { after, times };
    if (times < MAX_FAILED_READS || this.#isClosed) return;
    this.#failedReads = { after: "", times: 0 };
    this.#options.replicator.skipUnreadable();
  }

  #step(): void {
    this.#disarm();
    const log = this.#log;
    if (log === undefined) return;
    const { replicator, clock } = this.#options;
    this.#guard(() => {
      for (const command of replicator.step(clock.now())) this.#perform(log, command);
    }, false);
    if (replicator.readAfter !== undefined) this.#resumeReading();
  }

  #perform(log: Log, command: Command): void {
    const { replicator, clock, counts } = this.#options;
    const whenDone = <T>(asked: Promise<T>, tell: (reply: T, now: number) => void) =>
      asked.then(
        (reply) => {
          // A reply over an earlier link is of no use.
          if (this.#log === log) this.#guard(() => tell(reply, clock.now()));
        },
        () => {},
      );
    switch (command.do) {
      case "readStatus":
        return void whenDone(log.readStatus(command), (reply, now) => replicator.statusRead(reply, now));
      case "scan":
        return void whenDone(log.scan(command), (reply, now) => replicator.scanned(reply, now));
      case "join":
        return void whenDone(log.join(command), (reply, now) =>
          replicator.joined(command.writer, reply, now),
        );
      case "append":
        counts.batches++;
        counts.ops += command.ops.length;
        return void whenDone(log.append(command), (reply, now) => {
          if (reply.seq !== undefined) this.#acknowledgedAt = now;
          replicator.appended(command, reply, now);
        });
      case "evict":
        return void whenDone(log.evict(command), (isDone) => replicator.evicted(command.writer, isDone));
      case "forget":
        return void whenDone(log.forget(command), () => {});
    }
  }

  /**
   * A defect does not end the process. The replicator itself deals with a record, entry or row that fails.
   * How far any other call came is unknown, so this connects again, which starts from what is known for sure.
   */
  #guard(act: () => void, steps = true): void {
    const { clock, replicator, transact, events } = this.#options;
    try {
      transact(() => {
        try {
          act();
        } catch (error) {
          replicator.failed(error, clock.now());
          this.#log?.close();
        }
      });
    } catch (error) {
      events.crashed(error);
    }
    if (steps) this.#step();
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    if (this.#immediate !== undefined) clearImmediate(this.#immediate);
    this.#armedFor = Number.POSITIVE_INFINITY;
  }
}
