import type { Channel } from "../../../src/server/workers/channel.ts";

/** One end of a channel within this process. */
export class ChannelEnd implements Channel {
  /** What was sent from here. */
  readonly sent: unknown[] = [];
  /** Nothing that is sent arrives. */
  isMute = false;
  #other: ChannelEnd | undefined;
  #isClosed = false;
  #listener: (message: unknown) => void = () => {};
  #closed: () => void = () => {};

  /** Two ends: what is sent at one arrives at the other in a later turn, as its JSON does. */
  static pair(): [worker: ChannelEnd, primary: ChannelEnd] {
    const [one, other] = [new ChannelEnd(), new ChannelEnd()];
    one.#other = other;
    other.#other = one;
    return [one, other];
  }

  send(message: unknown): void {
    if (this.#isClosed) return;
    this.sent.push(message);
    if (this.isMute) return;
    const text = JSON.stringify(message);
    setImmediate(() => this.#other!.#take(text));
  }

  onMessage(listener: (message: unknown) => void): void {
    this.#listener = listener;
  }

  onClose(listener: () => void): void {
    this.#closed = listener;
  }

  /** The process at one of the ends has gone. */
  close(): void {
    for (const end of [this, this.#other!]) {
      end.#isClosed = true;
      end.#closed();
    }
  }

  #take(text: string): void {
    if (!this.#isClosed) this.#listener(JSON.parse(text));
  }
}
