import type { IncomingMessage } from "node:http";
import type { Socket as TcpSocket } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { SUBPROTOCOL } from "../../protocol/wire.ts";
import { CLOSE_TIMEOUT_MS, MAX_BYTES_BEFORE_CONNECT } from "../gateway/gateway-config.ts";
import { answerError, type HttpAnswer } from "../http/exchange.ts";
import { addressOf, createHttpServer, refuse } from "./node-http.ts";
import {
  answerRefusal,
  type HandshakeHeaders,
  NO_SUCH_PATH,
  realtimeAppId,
  refuseHandshake,
  type Transport,
  type TransportOptions,
} from "./transport.ts";
import { WsSocket } from "./ws-socket.ts";

/** Ordinary clients do not fragment: this is ample, and bounds what a hostile one can pile up. */
const MAX_FRAGMENTS = 128;
/**
 * The pieces in which a message may arrive, by its length: less on the average than the smallest packets of honest
 * networks, and enough for what a piece takes besides its bytes, some 280 of them.
 */
const LEAST_CHUNK_BYTES = 256;
const MIN_BUFFERED_CHUNKS = 1_024;
/** A stranger's only message is short, and a thousand strangers may take all these pieces at once. */
const CHUNKS_OF_STRANGER = 64;

/**
 * What a peer may still send after our close frame, which it may not have read yet: bytes, and each message or control
 * frame as so many at least. ws goes on taking apart all that comes, for as long as the peer has to answer.
 */
const MAX_AFTER_CLOSE = 1_048_576;
const LEAST_AFTER_CLOSE = 1_024;

/** `ws` on node:http: runs wherever Node does. */
export async function listenWs(options: TransportOptions): Promise<Transport> {
  const webSockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: Math.min(MAX_BYTES_BEFORE_CONNECT, options.maxMessageBytes),
    maxFragments: MAX_FRAGMENTS,
    maxBufferedChunks: CHUNKS_OF_STRANGER,
    closeTimeout: CLOSE_TIMEOUT_MS,
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  } as ConstructorParameters<typeof WebSocketServer>[0]);
  webSockets.on("wsClientError", (error, socket) =>
    refuse(socket, answerError(400, { upgrade: [error.message] })),
  );
  const http = createHttpServer(options, (request, handshake, socket, head) => {
    const refusal = upgrade(options, webSockets, request, handshake, socket, head);
    if (refusal !== undefined) refuse(socket, refusal);
    return refusal === undefined;
  });
  return { name: "ws", port: await http.listen(), close: () => http.close() };
}

/** Makes a WebSocket of the connection, or returns the answer that says why not. */
function upgrade(
  options: TransportOptions,
  webSockets: WebSocketServer,
  request: IncomingMessage,
  handshake: HandshakeHeaders,
  socket: Duplex,
  head: Buffer,
): HttpAnswer | undefined {
  const [path = ""] = (request.url ?? "").split("?", 1);
  const address = addressOf(options, request);
  const appId = realtimeAppId(path);
  const fault = appId === undefined ? NO_SUCH_PATH : refuseHandshake(handshake);
  if (fault !== undefined) return options.refuseHandshake(address, fault);
  const answer = options.upgrade({
    appId: appId!,
    origin: request.headers.origin,
    address,
    boundsFirstMessage: true,
  });
  if (!answer.ok) return options.refuseHandshake(address, answerRefusal(answer));
  let accepted = false;
  webSockets.handleUpgrade(request, socket, head, (webSocket) => {
    accepted = true;
    const adapter = new WsSocket(webSocket, socket as TcpSocket);
    const receiver = (webSocket as ReceivingWebSocket)._receiver;
    adapter.onAuthorized = () => {
      if (receiver === undefined) return;
      const { maxMessageBytes } = options;
      receiver._maxPayload = maxMessageBytes;
      receiver._maxBufferedChunks = Math.max(
        MIN_BUFFERED_CHUNKS,
        Math.ceil(maxMessageBytes / LEAST_CHUNK_BYTES),
      );
    };
    const listener = answer.accept(adapter);
    const guard = (handle: () => void) => {
      try {
        handle();
      } catch (error) {
        options.crashed(error);
      }
    };
    let afterClose = 0;
    /** Something has come, of so many bytes. */
    const hear = (bytes: number, handle: () => void) => {
      if (!adapter.isClosing) return guard(handle);
      afterClose += Math.max(bytes, LEAST_AFTER_CLOSE);
      if (afterClose <= MAX_AFTER_CLOSE) return;
      // What is left of this packet, which may hold thousands, too.
      if (receiver !== undefined) receiver._loop = false;
      adapter.terminate();
    };
    adapter.onDrain = () => guard(() => listener.onDrain());
    // ws says what is wrong with a frame and closes by itself; without a listener the process would end.
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
    // The peer has said goodbye when its close frame is here; "close" comes only when TCP has ended too.
    receiver?.on("conclude", onClose);
    webSocket.on("close", onClose);
  });
  // ws answers a handshake that it does not like by itself.
  if (!accepted) answer.abandon();
  return undefined;
}

/** What tells of a close frame as it comes in, and has the bounds on messages. ws has it in no public type. */
interface ReceivingWebSocket extends WebSocket {
  readonly _receiver?: {
    on(event: "conclude", listener: (code: number) => void): unknown;
    /** Whether it goes on with what it has. */
    _loop: boolean;
    _maxPayload: number;
    _maxBufferedChunks: number;
  };
}
