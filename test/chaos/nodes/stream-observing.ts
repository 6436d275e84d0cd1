import { again } from "../again.ts";
import type { Observer } from "../observer.ts";

const AGAIN_MS = 150;

/** An observer with an event stream. It reconnects and resumes whenever the stream is lost. */
export class StreamObserving {
  readonly observer: Observer;
  readonly #url: () => string;
  readonly #appId: string;
  readonly #secret: string;
  #abort = new AbortController();
  #isOver = false;

  constructor(observer: Observer, url: () => string, appId: string, secret: string) {
    this.observer = observer;
    this.#url = url;
    this.#appId = appId;
    this.#secret = secret;
    const live = () => this.#once().finally(() => observer.cut());
    void again(live, AGAIN_MS, () => this.#isOver);
  }

  drop(): void {
    this.#abort.abort();
  }

  end(): void {
    this.#isOver = true;
    this.drop();
  }

  async #once(): Promise<void> {
    this.#abort = new AbortController();
    const filter = encodeURIComponent(JSON.stringify({ includeBackgroundSessions: true }));
    const since = this.observer.position;
    const response = await fetch(`${this.#url()}/v1/${this.#appId}/presences/stream?filter=${filter}`, {
      headers: {
        authorization: `Bearer ${this.#secret}`,
        ...(since && { "last-event-id": `${since.view}:${since.version}` }),
      },
      signal: this.#abort.signal,
    });
    if (response.status !== 200) return;
    let rest = "";
    for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
      const blocks = (rest + text).split("\n\n");
      rest = blocks.pop()!;
      for (const block of blocks) this.#block(block, since);
    }
  }

  #block(block: string, since: { readonly view: string; readonly version: number } | undefined): void {
    const at = Date.now();
    if (block === ": resumed")
      return this.observer.received(JSON.stringify({ type: "resumed", ...since }), at);
    const data = block.split("\n").find((line) => line.startsWith("data: "));
    if (data !== undefined) this.observer.received(data.slice("data: ".length), at);
  }
}
