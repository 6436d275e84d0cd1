import type { Frame } from "../../gateway/frame.ts";
import type { Socket, SocketListener } from "../../gateway/socket.ts";
import type { Accept } from "../transport.ts";
import { SEND_STATUS, type SendStatus, type UwsWebSocket } from "./uws-types.ts";

/** A WebSocket of uWebSockets.js as the gateway wants it. The library throws at any call on a closed one. */
export class UwsSocket implements Socket {
  readonly flushesAfterText = true;
  /** Undefined before `open` has returned. */
  listener: SocketListener | undefined;
  #webSocket!: UwsWebSocket<unknown>;
  #isClosed = false;
  #waiting = false;
  /** The bytes that waited at the last measurement, to tell progress from bytes that we add. */
  #waited = 0;
  #progress = 0;

  /** Connects the library's WebSocket with the gateway. Called once, before anything else. */
  open(webSocket: UwsWebSocket<unknown>, accept: Accept): void {
    this.#webSocket = webSocket;
    this.listener = accept(this);
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
    return this.#follow(this.#webSocket.send(frame.payload, false, false));
  }

  sendTogether(frames: readonly Frame[]): boolean {
    if (this.#isClosed) return true;
    this.#measure();
    let isDropped = false;
    this.#webSocket.cork(() => {
      for (const { payload } of frames) {
        if (this.#webSocket.send(payload, false, false) === SEND_STATUS.dropped) isDropped = true;
      }
    });
    if (isDropped) return this.#follow(SEND_STATUS.dropped);
    // What each `send` said was true before the library wrote.
    const isQueued = this.#webSocket.getBufferedAmount() > 0;
    return this.#follow(isQueued ? SEND_STATUS.queued : SEND_STATUS.sent);
  }

  /** Does nothing: the library has one limit on messages for all sockets. */
  authorized(): void {}

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
    this.listener?.onDrain();
  }

  /** To be called when the library says that it has closed. */
  closed(code: number): void {
    this.#isClosed = true;
    this.listener?.onClose(code);
  }

  /** Acts on what the library did. Returns whether no bytes wait. */
  #follow(status: SendStatus): boolean {
    switch (status) {
      case SEND_STATUS.sent:
        // The library sent what waited together with this, and then emits no drain event. The listener hears
        // of it after this turn, because the caller is busy.
        if (this.#waiting) setImmediate(() => this.checkDrained());
        return true;
      case SEND_STATUS.queued:
        this.#waiting = true;
        this.#waited = this.#webSocket.getBufferedAmount();
        return false;
      case SEND_STATUS.dropped:
        // The library dropped a frame, though its limit is far above what the gateway allows. An end is
        // better than a gap.
        this.terminate();
        return true;
    }
  }

  #measure(): void {
    if (!this.#waiting || this.#isClosed) return;
    const waits = this.#webSocket.getBufferedAmount();
    if (waits < this.#waited) this.#progress++;
    this.#waited = waits;
  }
}
