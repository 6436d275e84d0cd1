import type { Socket as TcpSocket } from "node:net";
import type { WebSocket } from "ws";
import type { Frame } from "../../gateway/frame.ts";
import type { Socket } from "../../gateway/socket.ts";
import { bytesTaken } from "../../internals/bytes-taken.ts";

const TEXT = { binary: false, compress: false, fin: true };

/** A WebSocket of `ws` as the gateway wants it. */
export class WsSocket implements Socket {
  /** Nothing waits any more, after `send` had returned false. */
  onDrain: (() => void) | undefined;
  /** The peer has shown a valid token. */
  onAuthorized: (() => void) | undefined;
  /** Our close frame is under way. */
  isClosing = false;
  readonly #webSocket: WebSocket;
  readonly #tcp: TcpSocket;
  #waiting = false;
  /**
   * Called after each send. The "drain" event of TCP comes only after more has waited than Node's high-water
   * mark.
   */
  readonly #flushed = () => {
    if (!this.#waiting || this.#tcp.writableLength > 0) return;
    this.#waiting = false;
    this.onDrain?.();
  };

  constructor(webSocket: WebSocket, tcp: TcpSocket) {
    this.#webSocket = webSocket;
    this.#tcp = tcp;
  }

  get buffered(): number {
    return this.#webSocket.bufferedAmount;
  }

  get progress(): number {
    return bytesTaken(this.#tcp);
  }

  send(frame: Frame): boolean {
    if (this.#webSocket.readyState !== this.#webSocket.OPEN) return true;
    this.#webSocket.send(frame.bytes, TEXT, this.#flushed);
    return this.#areTaken();
  }

  sendTogether(frames: readonly Frame[]): boolean {
    if (this.#webSocket.readyState !== this.#webSocket.OPEN) return true;
    this.#tcp.cork();
    try {
      for (const frame of frames) this.#webSocket.send(frame.bytes, TEXT, this.#flushed);
    } finally {
      this.#tcp.uncork();
    }
    return this.#areTaken();
  }

  /** Whether TCP has taken all bytes. */
  #areTaken(): boolean {
    if (this.#tcp.writableLength === 0) return true;
    this.#waiting = true;
    return false;
  }

  authorized(): void {
    this.onAuthorized?.();
  }

  ping(): void {
    if (this.#webSocket.readyState === this.#webSocket.OPEN) this.#webSocket.ping();
  }

  close(code: number, reason: string): void {
    this.isClosing = true;
    this.#webSocket.close(code, reason);
  }

  terminate(): void {
    this.#webSocket.terminate();
  }
}
