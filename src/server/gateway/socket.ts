import type { Frame } from "./frame.ts";

/**
 * The WebSocket that the gateway needs. An adapter in transport/ translates it to a library and does nothing
 * else. After `close` or `terminate`, or once `onClose` was called, every call is a no-op. `onClose` may be
 * called before `close` or `terminate` returns, and is called once.
 */
export interface Socket {
  /** Whether `onFlush` follows each `onText` at once. */
  readonly flushesAfterText?: boolean;
  /** Sends a text frame. False: the client or the network is slow, and bytes wait in this process. */
  send(frame: Frame): boolean;
  /** Sends text frames in one write, as far as the library can. Returns what `send` does. */
  sendTogether?(frames: readonly Frame[]): boolean;
  /** The client has shown a valid token: the limits for newcomers no longer apply to it. */
  authorized(): void;
  /** Sends a WebSocket ping. */
  ping(): void;
  /** Sends a close frame, then ends the connection. A client that does not answer it must be terminated. */
  close(code: number, reason: string): void;
  /** Ends the connection at once. */
  terminate(): void;
  /** Bytes that wait in this process for the client or the network. */
  readonly buffered: number;
  /** A number that changes whenever the client, or its kernel, takes some of the waiting bytes. */
  readonly progress: number;
}

/** What the gateway is told about a socket. Texts are decoded; invalid UTF-8 never arrives here. */
export interface SocketListener {
  onText(text: string, byteLength: number): void;
  onBinary(): void;
  /** A ping or pong frame arrived. The adapter answers pings itself. */
  onControl(): void;
  /** The library may send a close frame next, so what waits for the end of the turn is to be sent now. */
  onFlush(): void;
  /** No bytes wait any more, after `send` had returned false. */
  onDrain(): void;
  /** `code`: that of the client's close frame; 1005 if the frame had none, 1006 if there was no frame. */
  onClose(code: number): void;
}

/** The parts of an upgrade request that decide whether it is admitted. */
export interface UpgradeRequest {
  readonly appId: string;
  readonly origin: string | undefined;
  /** The client's address, behind the proxies that the gateway trusts. */
  readonly address: string;
  /** Whether the transport buffers no more of a first message than may be accepted. */
  readonly boundsFirstMessage: boolean;
}

export interface UpgradeRefusal {
  readonly ok: false;
  readonly status: 403 | 404 | 429 | 503;
  readonly message: string;
  readonly retryAfterS?: number;
}

/** An admitted request must be accepted or abandoned. */
export type UpgradeAnswer =
  | {
      readonly ok: true;
      readonly accept: (socket: Socket) => SocketListener;
      readonly abandon: () => void;
    }
  | UpgradeRefusal;
