import type { BodyListener, BodySink } from "../../gateway/body-sink.ts";
import type { Frame } from "../../gateway/frame.ts";
import { writeChunks } from "./uws-chunks.ts";
import type { UwsResponse } from "./uws-types.ts";

/** Readers of an event stream skip it. */
const COMMENT = ":\n\n";

/** The body of an event stream of uWebSockets.js, written bit by bit. */
export class UwsBodySink implements BodySink {
  listener: BodyListener | undefined;
  readonly #response: UwsResponse;
  readonly #isAborted: () => boolean;
  readonly #isLast: boolean;
  #ended = false;
  #buffered = 0;
  #progress = 0;

  /** `isLast`: nothing is read from the connection after the body. */
  constructor(response: UwsResponse, isAborted: () => boolean, isLast = false) {
    this.#response = response;
    this.#isAborted = isAborted;
    this.#isLast = isLast;
    if (isAborted()) return;
    response.onWritable(() => this.#writeWaiting());
  }

  get buffered(): number {
    return this.#buffered;
  }

  get progress(): number {
    return this.#progress;
  }

  send(frame: Frame): boolean {
    return this.sendTogether([frame]);
  }

  sendTogether(frames: readonly Frame[]): boolean {
    if (this.#isOver) return true;
    const sent = writeChunks(this.#response, frames);
    if (!sent) for (const { byteLength } of frames) this.#buffered += byteLength;
    // The library sent what waited together with this, and then calls no handler. The listener hears of it
    // after this turn, because the caller is busy.
    else if (this.#buffered > 0) setImmediate(() => this.#drained());
    return sent;
  }

  /**
   * There is room. The library leaves what waits to the next write, and only what a write outside a cork
   * returns says whether anything still waits.
   */
  #writeWaiting(): boolean {
    if (this.#isOver) return true;
    const isOut = this.#response.write(COMMENT);
    if (isOut) this.#drained();
    else this.#progress++;
    return isOut;
  }

  #drained(): void {
    if (this.#buffered === 0 || this.#isOver) return;
    this.#progress++;
    this.#buffered = 0;
    this.listener?.onDrain();
  }

  end(): void {
    if (this.#isOver) return;
    this.#ended = true;
    if (this.#isLast) this.#response.pause();
    this.#response.cork(() => this.#response.end());
  }

  terminate(): void {
    if (this.#isOver) return;
    this.#ended = true;
    this.#response.close();
  }

  get #isOver(): boolean {
    return this.#ended || this.#isAborted();
  }
}
