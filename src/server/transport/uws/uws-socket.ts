import type { Frame } from "../../gateway/frame.ts";
import type { Socket, SocketListener } from "../../gateway/socket.ts";
import type { Accept } from "../transport.ts";
import { SEND_STATUS, type UwsWebSocket } from "./uws-types.ts";

/** A frame of at least this length waits for the end of another socket's handler, see UwsTurn. */
const LARGE_FRAME_BYTES = 1_024;
/** At most so many bytes of one socket wait for that. They are few, so `buffered` does not count them. */
const MAX_DEFERRED_BYTES = 32_768;

/**
 * Sends large frames after the handler of a message. While the library handles a message, its only send
 * buffer belongs to that socket. A frame to any other socket then needs memory that is allocated, zeroed and
 * freed for that frame, which is slow for large ones. So large frames wait until all messages that have
 * arrived are handled: in the same turn of the event loop, before any timer.
 */
export class UwsTurn {
  /** The socket whose message is being handled. */
  socket: UwsSocket | undefined;
  readonly #crashed: (error: unknown) => void;
  #later: UwsSocket[] = [];

  constructor(crashed: (error: unknown) => void) {
    this.#crashed = crashed;
  }

  /** Flushes this socket at the end of the turn. */
  flushLater(socket: UwsSocket): void {
    if (this.#later.length === 0) setImmediate(() => this.#flush());
    this.#later.push(socket);
  }

  #flush(): void {
    const sockets = this.#later;
    this.#later = [];
    for (const socket of sockets) {
      try {
        socket.flush();
      } catch (error) {
        this.#crashed(error);
      }
    }
  }
}

/** A WebSocket of uWebSockets.js as the gateway wants it. The library throws at any call on a closed one. */
export class UwsSocket implements Socket {
  readonly #turn: UwsTurn;
  #listener: SocketListener | undefined;
  #webSocket!: UwsWebSocket<unknown>;
  #isClosed = false;
  #waiting = false;
  /** The bytes that waited at the last measurement, to tell progress from bytes that we add. */
  #waited = 0;
  #progress = 0;
  /** Frames for the end of the turn. */
  #later: Frame[] | undefined;
  #laterBytes = 0;

  constructor(turn: UwsTurn) {
    this.#turn = turn;
  }

  /** Connects the library's WebSocket with the gateway. Called once, before anything else. */
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
    const { length } = frame.payload;
    if (this.#later === undefined) {
      const { socket } = this.#turn;
      const isForLater =
        length >= LARGE_FRAME_BYTES && socket !== undefined && socket !== this && !this.#waiting;
      if (!isForLater) return this.#send(frame);
      this.#later = [];
      this.#turn.flushLater(this);
    }
    this.#later.push(frame);
    this.#laterBytes += length;
    if (this.#laterBytes > MAX_DEFERRED_BYTES) this.flush();
    return true;
  }

  /** Sends the frames that wait for the end of the turn. */
  flush(): void {
    const frames = this.#later;
    if (frames === undefined) return;
    this.#later = undefined;
    this.#laterBytes = 0;
    let isAllSent = true;
    for (const frame of frames) if (!this.#isClosed && !this.#send(frame)) isAllSent = false;
    if (!isAllSent) this.#listener?.onBacklog();
  }

  /** Does nothing: the library has one limit on messages for all sockets. */
  authorized(): void {}

  ping(): void {
    if (!this.#isClosed) this.#webSocket.ping();
  }

  close(code: number, reason: string): void {
    this.flush();
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
    this.#later = undefined;
    this.#laterBytes = 0;
    this.#listener?.onClose(code);
  }

  #send(frame: Frame): boolean {
    this.#measure();
    switch (this.#webSocket.send(frame.payload, false, false)) {
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
        // The library dropped the frame, though its limit is far above what the gateway allows. An end is
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
