import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "../clock.ts";
import type { Command } from "./log.ts";
import type { RedisLog } from "./redis-log.ts";
import type { Replicator } from "./replicator.ts";

export interface LinkOptions {
  readonly connect: () => Promise<RedisLog>;
  readonly replicator: Replicator;
  /** Called after the replicator may have written to the tables. */
  readonly flush: (now: number) => void;
  readonly clock: Clock;
  readonly leaseMs: number;
  readonly counts: LinkCounts;
  readonly events: {
    connected(): void;
    /** For the first of several attempts that fail. */
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

/** Shorter than the time for which those who were without Redis wait for each other. */
const MAX_BACKOFF_MS = 1_000;
const MIN_BACKOFF_MS = 50;
const MAX_TICK_MS = 250;
/** One that breaks before is as good as one that was never made: it does not make the next attempt come sooner. */
const STEADY_MS = 1_000;
/** At most one read in this time: what several nodes wrote meanwhile comes with one. */
const READ_INTERVAL_MS = 10;
/** What cannot be read for so many times, as it is too large to come in time, is gone without. */
const MAX_FAILED_READS = 3;

/** Does what a replicator asks for, tells it what came of that and of the time, and connects again whenever that fails. */
export class Link {
  readonly #options: LinkOptions;
  readonly #running: Promise<void>;
  #log: RedisLog | undefined;
  #isClosed = false;
  readonly #ticker: NodeJS.Timeout;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #armedFor = Number.POSITIVE_INFINITY;
  #resumeReading = () => {};
  #acknowledgedAt = Number.NEGATIVE_INFINITY;
  /** After which entry reading failed, and how many times. */
  #failedReads = { after: "", times: 0 };

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#ticker = setInterval(() => this.#step(), Math.min(MAX_TICK_MS, options.leaseMs / 10));
    this.#running = this.#run();
  }

  /** When the log last took what this node writes, if only a sign of life. */
  get acknowledgedAt(): number {
    return this.#acknowledgedAt;
  }

  /** There will be something to do at a time. */
  wakeBy(due: number): void {
    if (this.#log === undefined || due >= this.#armedFor) return;
    this.#disarm();
    this.#armedFor = due;
    const ms = due - this.#options.clock.now();
    // After everything that came in together.
    if (ms <= 0) this.#immediate = setImmediate(() => this.#step());
    else this.#timer = setTimeout(() => this.#step(), ms);
  }

  /** Ends the link; what is on its way is lost. */
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

  async #read(log: RedisLog): Promise<void> {
    const { replicator, clock, counts } = this.#options;
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
        this.#noteFailedRead(after);
        throw error;
      });
      counts.entries += entries.length;
      for (const entry of entries) if (entry.kind === "batch") counts.records += entry.records.length / 2;
      this.#guard(() => replicator.read(after, entries, clock.now()));
      const rest = startedAt + READ_INTERVAL_MS - clock.now();
      if (rest >= 1) await delay(rest);
    }
  }

  #noteFailedRead(after: string): void {
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

  #perform(log: RedisLog, command: Command): void {
    const { replicator, clock, counts } = this.#options;
    const answer = <T>(asked: Promise<T>, tell: (reply: T, now: number) => void) =>
      asked.then(
        (reply) => {
          // Of a link that is lost, nobody wants to know.
          if (this.#log === log) this.#guard(() => tell(reply, clock.now()));
        },
        () => {},
      );
    switch (command.do) {
      case "readStatus":
        return void answer(log.readStatus(command), (reply, now) => replicator.statusRead(reply, now));
      case "scan":
        return void answer(log.scan(command), (reply, now) => replicator.scanned(reply, now));
      case "join":
        return void answer(log.join(command), (reply, now) => replicator.joined(command.writer, reply, now));
      case "append":
        counts.batches++;
        counts.ops += command.ops.length;
        return void answer(log.append(command), (reply, now) => {
          if (reply.seq !== undefined) this.#acknowledgedAt = now;
          replicator.appended(command, reply, now);
        });
      case "evict":
        return void answer(log.evict(command), (isDone) => replicator.evicted(command.writer, isDone));
      case "forget":
        return void answer(log.forget(command), () => {});
    }
  }

  /**
   * A defect of ours does not end the process. The replicator says itself what becomes of a session, entry or row that fails; of anything
   * else nobody knows how far it came, so the link is made anew, which begins everything from what is known for sure.
   */
  #guard(act: () => void, steps = true): void {
    const { clock, replicator, flush, events } = this.#options;
    try {
      act();
    } catch (error) {
      replicator.failed(error, clock.now());
      this.#log?.close();
    }
    try {
      flush(clock.now());
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
