import type { Frame } from "../gateway/frame.ts";
import type { Socket, SocketListener } from "../gateway/socket.ts";
import type { Accept } from "./transport.ts";
import type { UwsWebSocket } from "./uws-types.ts";

/** A WebSocket of uWebSockets.js as the gateway wants it. Any call on one that has closed would throw. */
export class UwsSocket implements Socket {
  #listener: SocketListener | undefined;
  #webSocket!: UwsWebSocket<unknown>;
  #isClosed = false;
  #waiting = false;
  /** How much waited when we last looked, to tell progress from what we ourselves add. */
  #waited = 0;
  #progress = 0;

  /** To be called once, before anything else. Returns who is to be told of what comes. */
  open(webSocket: UwsWebSocket<unknown>, accept: Accept): SocketListener {
    this.#webSocket = webSocket;
    this.#listener = accept(this);
    return this.#listener;
  }

  get buffered(): number {
    return this.#isClosed || !this.#waiting ? 0 : this.#webSocket.getBufferedAmount();
  }

  get progress(): number {
    this.#measure();
    return this.#progress;
  }

  send(frame: Frame): boolean {
    if (this.#isClosed) return true;
    this.#measure();
    const result = this.#webSocket.send(frame.payload, false, false);
    if (result === 1) {
      // What waited has gone out with it, and then no drain event comes. Told after this turn: the caller is busy.
      if (this.#waiting) setImmediate(() => this.checkDrained());
      return true;
    }
    if (result === 2) {
      // Dropped, though the bound is far above what the gateway allows: an end is better than a gap.
      this.terminate();
      return true;
    }
    this.#waiting = true;
    this.#waited = this.#webSocket.getBufferedAmount();
    return false;
  }

  ping(): void {
    if (!this.#isClosed) this.#webSocket.ping();
  }

  close(code: number, reason: string): void {
    if (!this.#isClosed) this.#webSocket.end(code, reason);
  }

  terminate(): void {
    if (!this.#isClosed) this.#webSocket.close();
  }

  /** To be called on drain events, which also come when only some was taken. */
  checkDrained(): void {
    if (this.#isClosed || !this.#waiting) return;
    this.#measure();
    if (this.#webSocket.getBufferedAmount() > 0) return;
    this.#waiting = false;
    this.#listener?.onDrain();
  }

  /** To be called when the library says that it has closed. */
  closed(code: number): void {
    this.#isClosed = true;
    this.#listener?.onClose(code);
  }

  #measure(): void {
    if (!this.#waiting || this.#isClosed) return;
    const waits = this.#webSocket.getBufferedAmount();
    if (waits < this.#waited) this.#progress++;
    this.#waited = waits;
  }
}
