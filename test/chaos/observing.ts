import { setTimeout as delay } from "node:timers/promises";
import { again } from "./again.ts";
import type { Observer } from "./observer.ts";
import { WireClient } from "./wire-client.ts";

const AGAIN_MS = 150;

/** An observer with a socket. It reconnects and resumes whenever the socket is lost. */
export class Observing {
  readonly observer: Observer;
  readonly filter: object;
  readonly #url: () => string;
  readonly #appId: string;
  readonly #token: string;
  #client: WireClient | undefined;
  #isOver = false;
  reconnects = -1;

  constructor(observer: Observer, filter: object, url: () => string, appId: string, token: string) {
    this.observer = observer;
    this.filter = filter;
    this.#url = url;
    this.#appId = appId;
    this.#token = token;
    const live = () => this.#once().finally(() => observer.cut());
    void again(live, AGAIN_MS, () => this.#isOver);
  }

  /** Resolves when everything sent to it before has arrived. False if that takes too long. */
  async caughtUp(timeoutMs: number): Promise<boolean> {
    const deadline = Date.now() + timeoutMs;
    while (Date.now() < deadline) {
      if ((await this.#client?.ask({ type: "ping" }))?.type === "pong") return true;
      await delay(50);
    }
    return false;
  }

  drop(): void {
    this.#client?.terminate();
  }

  end(): void {
    this.#isOver = true;
    this.#client?.close();
  }

  async #once(): Promise<void> {
    const client = await WireClient.connect(this.#url(), this.#appId, this.#token, (text) =>
      this.observer.received(text, Date.now()),
    );
    this.#client = client;
    this.reconnects++;
    const closed = new Promise<void>((resolve) => {
      client.onClose = () => resolve();
    });
    const since = this.observer.position;
    void client.ask({ type: "subscribe", filter: this.filter, ...(since && { since }) });
    if (this.#isOver) client.close();
    await closed;
  }
}
