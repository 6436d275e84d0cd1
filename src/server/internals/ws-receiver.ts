import type { WebSocket } from "ws";

interface Receiver {
  on(event: "conclude", listener: (code: number) => void): unknown;
  _maxPayload: number;
  _maxBufferedChunks: number;
}

interface ReceivingWebSocket extends WebSocket {
  readonly _receiver?: Receiver;
}

/** What the receiver of a WebSocket may hold. */
export interface ReceiverLimits {
  /** Bytes of one message. */
  readonly maxPayload: number;
  /** Pieces in which one message may arrive. */
  readonly maxBufferedChunks: number;
}

/**
 * Sets other limits than those that the WebSocket began with.
 *
 * Relies on: `_receiver` of a WebSocket of ws, which reads `_maxPayload` and `_maxBufferedChunks` for each
 * frame.
 * Why: before `connect` a client may send little, and after it more. ws takes the limits of all WebSockets
 * when the server is made.
 * Without it: the limits from before `connect` hold for good, and longer messages end the socket.
 */
export function setReceiverLimits(webSocket: WebSocket, limits: ReceiverLimits): void {
  const receiver = (webSocket as ReceivingWebSocket)._receiver;
  if (receiver === undefined) return;
  receiver._maxPayload = limits.maxPayload;
  receiver._maxBufferedChunks = limits.maxBufferedChunks;
}

/**
 * Calls the listener when a close frame of the peer comes in.
 *
 * Relies on: the event `conclude` of the `_receiver` of a WebSocket of ws.
 * Why: the peer has left with that frame. The public event `close` comes only when TCP has ended too, which a
 * peer may delay.
 * Without it: a leave shows when TCP ends, up to two seconds later.
 */
export function onCloseFrame(webSocket: WebSocket, listener: (code: number) => void): void {
  (webSocket as ReceivingWebSocket)._receiver?.on("conclude", listener);
}
