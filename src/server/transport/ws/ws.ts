import type { IncomingMessage } from "node:http";
import type { Socket as TcpSocket } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { SUBPROTOCOL } from "../../../protocol/wire.ts";
import { CLOSE_TIMEOUT_MS, MAX_BYTES_BEFORE_CONNECT } from "../../gateway/gateway-config.ts";
import { errorResponse, type HttpResponse } from "../../http/exchange.ts";
import {
  beforeCloseFrame,
  onCloseFrame,
  setReceiverLimits,
  stopReceiving,
} from "../../internals/ws-receiver.ts";
import {
  type HandshakeHeaders,
  handshakeError,
  NO_SUCH_PATH,
  realtimeAppId,
  refusalResponse,
  type Transport,
  type TransportOptions,
} from "../transport.ts";
import { addressOf } from "./node-head.ts";
import { createHttpServer } from "./node-http.ts";
import { refuse } from "./node-response.ts";
import { WsSocket } from "./ws-socket.ts";

/** Ordinary clients do not send fragments. This is ample, and bounds what a hostile client can pile up. */
const MAX_FRAGMENTS = 128;
/**
 * The mean length of the pieces in which a message may arrive. The packets of honest networks are larger, and
 * a piece takes some 280 bytes of memory besides its own bytes.
 */
const MEAN_CHUNK_BYTES = 256;
const MIN_BUFFERED_CHUNKS = 1_024;
/**
 * Before `connect` the only message is short, and a thousand clients may hold so many pieces at the same
 * time.
 */
const CHUNKS_BEFORE_CONNECT = 64;

/**
 * The bytes that a peer may still send after our close frame, which it may not have read yet. ws goes on
 * parsing until the peer has answered that frame.
 */
const MAX_BYTES_AFTER_CLOSE = 1_048_576;
/** Each message or control frame counts as at least so many of them. */
const MIN_BYTES_AFTER_CLOSE = 1_024;

/** `ws` on node:http: runs wherever Node does. */
export async function listenWs(options: TransportOptions): Promise<Transport> {
  const webSockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: Math.min(MAX_BYTES_BEFORE_CONNECT, options.maxMessageBytes),
    maxFragments: MAX_FRAGMENTS,
    maxBufferedChunks: CHUNKS_BEFORE_CONNECT,
    closeTimeout: CLOSE_TIMEOUT_MS,
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  } as ConstructorParameters<typeof WebSocketServer>[0]);
  webSockets.on("wsClientError", (error, socket) =>
    refuse(socket, errorResponse(400, { upgrade: [error.message] })),
  );
  const http = createHttpServer(options, (request, handshake, socket, head) => {
    const refusal = upgrade(options, webSockets, request, handshake, socket, head);
    if (refusal !== undefined) refuse(socket, refusal);
    return refusal === undefined;
  });
  return { name: "ws", port: await http.listen(), close: () => http.close() };
}

/** Makes a WebSocket of the connection, or returns the response that refuses it. */
function upgrade(
  options: TransportOptions,
  webSockets: WebSocketServer,
  request: IncomingMessage,
  handshake: HandshakeHeaders,
  socket: Duplex,
  head: Buffer,
): HttpResponse | undefined {
  const [path = ""] = (request.url ?? "").split("?", 1);
  const address = addressOf(options, request);
  const appId = realtimeAppId(path);
  const fault = appId === undefined ? NO_SUCH_PATH : handshakeError(handshake);
  if (fault !== undefined) return options.refuseHandshake(address, fault);
  const admission = options.upgrade({
    appId: appId!,
    origin: request.headers.origin,
    address,
    boundsFirstMessage: true,
  });
  if (!admission.ok) return options.refuseHandshake(address, refusalResponse(admission));
  const { maxMessageBytes } = options;
  const authorizedLimits = {
    maxPayload: maxMessageBytes,
    maxBufferedChunks: Math.max(MIN_BUFFERED_CHUNKS, Math.ceil(maxMessageBytes / MEAN_CHUNK_BYTES)),
  };
  let accepted = false;
  webSockets.handleUpgrade(request, socket, head, (webSocket) => {
    accepted = true;
    const adapter = new WsSocket(webSocket, socket as TcpSocket);
    adapter.onAuthorized = () => setReceiverLimits(webSocket, authorizedLimits);
    const listener = admission.accept(adapter);
    const guard = (handle: () => void) => {
      try {
        handle();
      } catch (error) {
        options.crashed(error);
      }
    };
    let bytesAfterClose = 0;
    /** Handles a message or control frame of so many bytes. */
    const hear = (bytes: number, handle: () => void) => {
      if (!adapter.isClosing) return guard(handle);
      bytesAfterClose += Math.max(bytes, MIN_BYTES_AFTER_CLOSE);
      if (bytesAfterClose <= MAX_BYTES_AFTER_CLOSE) return;
      // The rest of this packet may hold thousands of frames.
      stopReceiving(webSocket);
      adapter.terminate();
    };
    adapter.onDrain = () => guard(() => listener.onDrain());
    beforeCloseFrame(webSocket, () => guard(() => listener.onFlush()));
    // ws closes by itself when a frame is invalid. Without a listener for the error the process would end.
    webSocket.on("error", () => {});
    webSocket.on("message", (data: Buffer, isBinary) =>
      hear(data.length, () =>
        isBinary ? listener.onBinary() : listener.onText(data.toString(), data.length),
      ),
    );
    webSocket.on("ping", () => hear(0, () => listener.onControl()));
    webSocket.on("pong", () => hear(0, () => listener.onControl()));
    let isClosed = false;
    const onClose = (code: number) => {
      if (isClosed) return;
      isClosed = true;
      guard(() => listener.onClose(code));
    };
    // The peer has left when its close frame arrives; "close" comes only when TCP has ended too.
    onCloseFrame(webSocket, onClose);
    webSocket.on("close", onClose);
  });
  // ws itself refuses a handshake that is not valid.
  if (!accepted) admission.abandon();
  return undefined;
}
