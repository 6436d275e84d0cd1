import type { Frame } from "./frame.ts";

/**
 * The WebSocket that the gateway wants; an adapter in transport/ translates it to a library and does nothing
 * else. After `close` or `terminate`, or once `onClose` was called, every call is a no-op. `onClose` may be
 * called before `close` or `terminate` returns, and is called once.
 */
export interface Socket {
  /** Sends a text frame. False: the peer or the network is slow, and bytes wait in this process. */
  send(frame: Frame): boolean;
  /** The peer has shown a valid token: what was held back from strangers is held back no longer. */
  authorized(): void;
  /** Sends a WebSocket ping. */
  ping(): void;
  /** Sends a close frame, then ends the connection. A peer that does not answer it has to be terminated. */
  close(code: number, reason: string): void;
  /** Ends the connection at once. */
  terminate(): void;
  /** Bytes that wait in this process for the peer or the network. */
  readonly buffered: number;
  /** A number that has changed whenever the peer, or its kernel, took some of the bytes that waited. */
  readonly progress: number;
}

/**
 * What the gateway wants to be told of a socket. Bytes are decoded already; invalid UTF-8 never comes this
 * far.
 */
export interface SocketListener {
  onText(text: string, byteLength: number): void;
  onBinary(): void;
  /** A ping or pong frame came in; the adapter answers pings by itself. */
  onControl(): void;
  /** Bytes wait in this process after all, though `send` had returned true. */
  onBacklog(): void;
  /** Nothing waits any more, after `send` had returned false or this was told of a backlog. */
  onDrain(): void;
  /** The code of the close frame that the peer sent: 1005 if it had none, 1006 if there was no frame. */
  onClose(code: number): void;
}

/** What of a request for an upgrade decides whether it is let in. */
export interface UpgradeRequest {
  readonly appId: string;
  readonly origin: string | undefined;
  /** The client's address, proxies that we trust looked through. */
  readonly address: string;
  /** Whether the transport holds no more of a first message than may be taken. */
  readonly boundsFirstMessage: boolean;
}

export interface UpgradeRefusal {
  readonly ok: false;
  readonly status: 403 | 404 | 429 | 503;
  readonly message: string;
  readonly retryAfterS?: number;
}

/** What is let in must be accepted or abandoned. */
export type UpgradeAnswer =
  | {
      readonly ok: true;
      readonly accept: (socket: Socket) => SocketListener;
      readonly abandon: () => void;
    }
  | UpgradeRefusal;
