import { setTimeout as delay } from "node:timers/promises";
import { again } from "./again.ts";
import type { AppUnderChaos } from "./app-under-chaos.ts";
import type { ExpectedSession } from "./oracle.ts";
import { WireClient } from "./wire-client.ts";

const EVERY_MS = 100;

/** A correct client that measures how long its changes take to reach others. */
export class Healthy {
  readonly #app: AppUnderChaos;
  readonly #url: () => string;
  readonly #latencies: number[] = [];
  #client: WireClient | undefined;
  #sessionId: string | undefined;
  #n = 0;
  #sentAt: number | undefined;
  #isOver = false;
  /** Stops changing, while all states are compared. */
  isResting = false;

  constructor(app: AppUnderChaos, url: () => string) {
    this.#app = app;
    this.#url = url;
    void again(
      () => this.#once(),
      EVERY_MS,
      () => this.#isOver,
    );
  }

  get expected(): ExpectedSession | undefined {
    if (this.#sessionId === undefined || this.#client?.isOpen !== true) return undefined;
    return { sessionId: this.#sessionId, fields: { isTyping: false } };
  }

  get latency() {
    const sorted = this.#latencies.toSorted((a, b) => a - b);
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
    return { samples: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) };
  }

  /** The gateway was paused on purpose, so pending changes do not count. */
  disturbed(): void {
    this.#sentAt = undefined;
  }

  end(): void {
    this.#isOver = true;
    this.#client?.close();
  }

  async #once(): Promise<void> {
    const client = await WireClient.connect(this.#url(), this.#app.id, this.#app.appToken, (text) => {
      // It searches the diff for its own number and parses nothing else.
      if (this.#sentAt === undefined || !text.includes(`"n":"h${this.#n}"`)) return;
      this.#latencies.push(performance.now() - this.#sentAt);
      this.#sentAt = undefined;
    });
    this.#client = client;
    const opened = await client.ask({ type: "open", kind: "widget", userId: "healthy" });
    if (opened.type !== "opened") throw new Error("not opened");
    this.#sessionId = opened.sessionId;
    this.#app.oracle.holds("healthy", [opened.sessionId], Date.now());
    void client.ask({ type: "subscribe", filter: { userIds: ["healthy"] } });
    while (client.isOpen && !this.#isOver) {
      if (this.#sentAt === undefined && !this.isResting) {
        this.#n++;
        this.#sentAt = performance.now();
        client.send({ type: "update", custom: { n: `h${this.#n}` } });
      }
      await delay(EVERY_MS);
    }
    this.#sentAt = undefined;
    this.#app.oracle.mayLeave("healthy", Date.now());
    client.terminate();
  }
}
