import type { WebSocket } from "ws";

interface Receiver {
  on(event: "conclude", listener: (code: number) => void): unknown;
  prependListener(event: "conclude" | "error", listener: () => void): unknown;
  _loop: boolean;
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

/**
 * Calls the listener before ws sends a close frame by itself: because it received one, or an invalid frame.
 *
 * Relies on: the events `conclude` and `error` of the `_receiver` of a WebSocket of ws, which sends the close
 * frame in its own listener.
 * Why: responses wait for the end of the turn, and ws sends nothing after a close frame.
 * Without it: a client that sends a request and a close frame together gets no response.
 */
export function beforeCloseFrame(webSocket: WebSocket, listener: () => void): void {
  const receiver = (webSocket as ReceivingWebSocket)._receiver;
  receiver?.prependListener("conclude", listener);
  receiver?.prependListener("error", listener);
}

/**
 * Has ws leave unread what follows in the packet that it is reading. Called in a handler of a message or
 * control frame.
 *
 * Relies on: `_loop` of the `_receiver` of a WebSocket of ws, which says whether it goes on with the bytes
 * that it has.
 * Why: one packet may hold thousands of frames, which would be parsed for a connection that is being dropped.
 * Without it: ws parses the rest of the packet. Nothing is done for these frames, but parsing them takes
 * time.
 */
export function stopReceiving(webSocket: WebSocket): void {
  const receiver = (webSocket as ReceivingWebSocket)._receiver;
  if (receiver !== undefined) receiver._loop = false;
}
