/** What to do about a client: nothing, send it a ping, or drop it. */
export type Pulse = "alive" | "ping" | "dead";

/**
 * Finds out whether a silent client is still there: after an interval of silence it gets a ping, and has half
 * an interval to answer. Times are in milliseconds of the awake clock.
 */
export class Heartbeat {
  readonly #intervalMs: number;
  /** When the gateway sent a ping to the silent client; undefined if no ping is unanswered. */
  #pingedAt: number | undefined;

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  /** The client has sent something, which answers any ping. */
  heard(): void {
    this.#pingedAt = undefined;
  }

  /** What to do now about a client that has sent something at `lastHeard`, and nothing since. */
  check(lastHeard: number, now: number): Pulse {
    if (now < this.nextCheckAt(lastHeard)) return "alive";
    // A connection is dead only if it left a ping unanswered. Silence alone may mean that this process was
    // paused.
    if (this.#pingedAt !== undefined) return "dead";
    this.#pingedAt = now;
    return "ping";
  }

  /** When to check again, if the client sends nothing until then. */
  nextCheckAt(lastHeard: number): number {
    if (this.#pingedAt !== undefined) return this.#pingedAt + this.#intervalMs / 2;
    return lastHeard + this.#intervalMs;
  }
}
