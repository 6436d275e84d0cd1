import type { Frame } from "../gateway/frame.ts";
import type { Socket, SocketListener } from "../gateway/socket.ts";
import type { Accept } from "./transport.ts";
import type { UwsWebSocket } from "./uws-types.ts";

/** From here on a frame waits for the end of the handler of another socket, see UwsTurn. */
const LARGE_FRAME_BYTES = 1_024;
/** More than this does not wait for that: little beside what a slow reader may have waiting, so it is not counted as such. */
const MAX_DEFERRED_BYTES = 32_768;

/**
 * Whose message is handled. While it is, the library has its only send buffer for that socket; what is sent to any other goes
 * through memory that is taken, zeroed and given back for each send, which large frames feel. So those wait until all that has
 * come in is handled: the same turn of the event loop, before any timer.
 */
export class UwsTurn {
  /** Whose message is handled now. */
  socket: UwsSocket | undefined;
  readonly #crashed: (error: unknown) => void;
  #later: UwsSocket[] = [];

  constructor(crashed: (error: unknown) => void) {
    this.#crashed = crashed;
  }

  /** Has this socket flushed at the end of the turn. */
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

/** A WebSocket of uWebSockets.js as the gateway wants it. Any call on one that has closed would throw. */
export class UwsSocket implements Socket {
  readonly #turn: UwsTurn;
  #listener: SocketListener | undefined;
  #webSocket!: UwsWebSocket<unknown>;
  #isClosed = false;
  #waiting = false;
  /** How much waited when we last looked, to tell progress from what we ourselves add. */
  #waited = 0;
  #progress = 0;
  /** Frames for the end of the turn. */
  #later: Frame[] | undefined;
  #laterBytes = 0;

  constructor(turn: UwsTurn) {
    this.#turn = turn;
  }

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

  /** Sends what was left for the end of the turn. */
  flush(): void {
    const frames = this.#later;
    if (frames === undefined) return;
    this.#later = undefined;
    this.#laterBytes = 0;
    let isAllSent = true;
    for (const frame of frames) if (!this.#isClosed && !this.#send(frame)) isAllSent = false;
    if (!isAllSent) this.#listener?.onBacklog();
  }

  /** Nothing: the library has one bound on messages for all. */
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

  #measure(): void {
    if (!this.#waiting || this.#isClosed) return;
    const waits = this.#webSocket.getBufferedAmount();
    if (waits < this.#waited) this.#progress++;
    this.#waited = waits;
  }
}
