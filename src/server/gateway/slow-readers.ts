import { STALL_MS } from "./gateway-config.ts";
import type { SendQueue } from "./send-queue.ts";
import type { Telemetry } from "./telemetry.ts";

/** A connection whose reader may take its bytes slowly, or not at all. */
export interface SlowReader {
  readonly sendQueue: Pick<SendQueue, "buffered" | "progress" | "drained">;
  /** The reader has taken none of its waiting bytes for `STALL_MS`. */
  onStall(): void;
}

interface Stall {
  progress: number;
  since: number;
}

const CHECK_MS = 1_000;

/** The connections for which bytes wait in this process. Those whose readers take none of them are ended. */
export class SlowReaders {
  readonly #telemetry: Telemetry;
  readonly #stalls = new Map<SlowReader, Stall>();
  #checkAt = 0;

  constructor(telemetry: Telemetry) {
    this.#telemetry = telemetry;
  }

  get size(): number {
    return this.#stalls.size;
  }

  /** Bytes now wait for this connection. */
  add(reader: SlowReader, now: number): void {
    if (!this.#stalls.has(reader)) {
      this.#stalls.set(reader, { progress: reader.sendQueue.progress, since: now });
    }
  }

  delete(reader: SlowReader): void {
    this.#stalls.delete(reader);
  }

  /** Looks at the connections, once a second at most, however often it is called. */
  check(now: number): void {
    if (now < this.#checkAt) return;
    this.#checkAt = now + CHECK_MS;
    for (const [reader, stall] of this.#stalls) this.#guard(() => this.#checkOne(reader, stall, now));
  }

  #checkOne(reader: SlowReader, stall: Stall, now: number): void {
    const { buffered, progress } = reader.sendQueue;
    if (buffered === 0) {
      this.#stalls.delete(reader);
      // Transports report this. If one fails to, no answer may wait for ever.
      reader.sendQueue.drained();
    } else if (progress !== stall.progress) {
      stall.progress = progress;
      stall.since = now;
    } else if (now - stall.since >= STALL_MS) {
      this.#stalls.delete(reader);
      this.#telemetry.slowReadersDisconnected++;
      this.#telemetry.refused("slow_reader");
      reader.onStall();
    }
  }

  /** A defect in one connection must not stop the others. */
  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#telemetry.crashed(error);
    }
  }
}
