import type { ServerResponse } from "node:http";
import type { Socket as TcpSocket } from "node:net";
import type { BodyListener, BodySink } from "../../gateway/body-sink.ts";
import type { Frame } from "../../gateway/frame.ts";
import { bytesTaken } from "../../internals/bytes-taken.ts";

/**
 * The body of a response of node:http, written bit by bit. Node itself joins what is written before the next
 * tick.
 */
export class NodeBodySink implements BodySink {
  listener: BodyListener | undefined;
  readonly #response: ServerResponse;
  readonly #tcp: TcpSocket;
  #isWaiting = false;
  /**
   * Called after each write. The response's "drain" comes only after more has waited than Node's high-water
   * mark.
   */
  readonly #flushed = () => {
    if (!this.#isWaiting || this.#response.writableLength > 0) return;
    this.#isWaiting = false;
    this.listener?.onDrain();
  };

  constructor(response: ServerResponse, tcp: TcpSocket) {
    this.#response = response;
    this.#tcp = tcp;
  }

  get buffered(): number {
    return this.#response.writableLength;
  }

  get progress(): number {
    return bytesTaken(this.#tcp);
  }

  send(frame: Frame): boolean {
    if (this.#response.writableEnded || this.#response.destroyed) return true;
    this.#response.write(frame.bytes, this.#flushed);
    if (this.#response.writableLength === 0) return true;
    this.#isWaiting = true;
    return false;
  }

  end(): void {
    this.#response.end();
  }

  terminate(): void {
    this.#response.destroy();
  }
}
