import { SUBPROTOCOL } from "../../../protocol/wire.ts";
import { TurnQuota } from "../../gateway/turn-quota.ts";
import type { HttpResponse } from "../../http/exchange.ts";
import { listenError, listenErrorCode } from "../listen-error.ts";
import {
  type Accept,
  HTTP_STALL_MS,
  handshakeError,
  isWebSocketRequest,
  MAX_PIPELINED,
  NO_SUCH_PATH,
  offersSubprotocol,
  realtimeAppId,
  refusalResponse,
  type Transport,
  type TransportOptions,
  transferCodingError,
} from "../transport.ts";
import { UwsExchange, UwsHttp } from "./uws-exchange.ts";
import { UwsHead } from "./uws-head.ts";
import { peerOf } from "./uws-response.ts";
import { UwsSocket } from "./uws-socket.ts";
import type { UwsContext, UwsListenSocket, UwsModule, UwsRequest, UwsResponse } from "./uws-types.ts";

/** A byte order mark is part of the text, and no JSON. */
const UTF_8 = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Has the library set SO_REUSEPORT, so that other processes of this user may listen on the port too. It does
 * so for ports that it is told, and not for one that the system chooses.
 */
const LISTEN_SHARED = 0;

/** One field only: the library copies each of them to its WebSocket, which costs more than to read it. */
interface UserData {
  readonly socket: UwsSocket;
}

/** uWebSockets.js: the fast one, where a build of it loads. */
export async function listenUws(uws: UwsModule, options: TransportOptions): Promise<Transport> {
  let inHand = 0;
  let onIdle: (() => void) | undefined;
  const finished = () => {
    inHand--;
    if (inHand === 0) onIdle?.();
  };

  /** Catches exceptions: one that reached the library would end the process. */
  const guard =
    <Args extends unknown[]>(handler: (...args: Args) => void) =>
    (...args: Args) => {
      try {
        handler(...args);
      } catch (error) {
        options.crashed(error);
      }
    };

  /**
   * The same for handlers of requests; the library also ends the process if one returns without an answer.
   */
  const guardRequest =
    <Args extends unknown[]>(handler: (response: UwsResponse, ...args: Args) => void) =>
    (response: UwsResponse, ...args: Args) => {
      try {
        handler(response, ...args);
      } catch (error) {
        options.crashed(error);
        guard(() => response.close())();
      }
    };

  const { tcp } = options;
  const http = new UwsHttp(options, finished);
  /** Bounds the requests of a turn: one read may carry thousands. */
  const quota = new TurnQuota(MAX_PIPELINED);
  /**
   * Refuses a request, and closes the connection. After an upgrade a proxy may pass on what follows as
   * WebSocket frames.
   */
  const refuse = (response: UwsResponse, refusal: HttpResponse) => {
    let isAborted = false;
    response.onAborted(() => {
      isAborted = true;
    });
    http.sendLast(response, refusal, false, () => isAborted);
  };
  const serve = (response: UwsResponse, request: UwsRequest, head: UwsHead) => {
    const fault = transferCodingError(head["transfer-encoding"]);
    if (fault !== undefined) return refuse(response, fault);
    inHand++;
    const exchange = new UwsExchange(http, response, request, head);
    // The library closes a connection over which another request arrives meanwhile: the client has sent too
    // many at once.
    if (quota.take()) exchange.serve();
    else exchange.serveLate();
  };

  const app = uws.App();
  /** Of the upgrade under way: the library calls `open` before `upgrade` returns. */
  let accepting: Accept | undefined;
  // The library has no limit on connections. When the process may open no more files, it tries to accept the
  // next one again and again, uses a whole core for that, and accepts no connection.
  app.filter(
    guard((response, change) => {
      // An upgraded connection is counted when its WebSocket closes, even if a build reports it here too.
      if (accepting !== undefined) return;
      // The library does not say which connection has ended: it has no address any more, and no identity.
      if (change < 0) return tcp.close(false);
      const opened = tcp.open(peerOf(response));
      if (opened === "taken") return;
      options.tcpRefused(opened);
      response.close();
    }),
  );
  app.ws<UserData>("/*", {
    maxPayloadLength: options.maxMessageBytes,
    // The gateway limits what waits. What it allows must never be dropped here, because a dropped diff is a
    // silent gap.
    maxBackpressure: 4 * options.maxBufferedBytes + 4 * options.maxMessageBytes + 1024 * 1024,
    closeOnBackpressureLimit: false,
    // The gateway has its own heartbeat.
    idleTimeout: 0,
    maxLifetime: 0,
    sendPingsAutomatically: false,
    compression: uws.DISABLED,
    upgrade: guardRequest((response, request, context: UwsContext) => {
      const head = new UwsHead(request);
      if (head.isSmuggling) return void response.close();
      // The library would read its chunks as frames.
      if (head.isChunked && isWebSocketRequest(head)) return void response.close();
      // The library only checks that there is a key. What a proxy treats as an ordinary request must not
      // become a WebSocket: the proxy would pass on its frames as responses.
      if (!isWebSocketRequest(head)) return serve(response, request, head);
      const peer = peerOf(response);
      const address = options.clientAddress(peer, head["x-forwarded-for"]);
      const appId = realtimeAppId(request.getUrl());
      const fault = appId === undefined ? NO_SUCH_PATH : handshakeError(head);
      if (fault !== undefined) return refuse(response, options.refuseHandshake(address, fault));
      const admission = options.upgrade({
        appId: appId!,
        origin: head.origin,
        address,
        // The library puts fragments together by itself, up to the bound on every message.
        boundsFirstMessage: false,
      });
      if (!admission.ok) {
        return refuse(response, options.refuseHandshake(address, refusalResponse(admission)));
      }
      accepting = admission.accept;
      try {
        response.upgrade<UserData>(
          { socket: new UwsSocket() },
          head.key!,
          offersSubprotocol(head) ? SUBPROTOCOL : "",
          "",
          context,
        );
        tcp.known(peer);
      } finally {
        accepting = undefined;
      }
    }),
    open: guard((webSocket) => {
      tcp.upgraded();
      webSocket.getUserData().socket.open(webSocket, accepting!);
    }),
    message(webSocket, message, isBinary) {
      // `guard` by hand: this is called more than all others together.
      try {
        const { listener } = webSocket.getUserData().socket;
        if (isBinary) listener?.onBinary();
        // The bytes are valid during this call only; the text is a copy.
        else listener?.onText(UTF_8.decode(message), message.byteLength);
        // A close frame may follow, which the library answers by itself. It joins what is sent here until it
        // has read all that has arrived.
        listener?.onFlush();
      } catch (error) {
        options.crashed(error);
      }
    },
    drain: guard((webSocket) => webSocket.getUserData().socket.checkDrained()),
    ping: guard((webSocket) => webSocket.getUserData().socket.listener?.onControl()),
    pong: guard((webSocket) => webSocket.getUserData().socket.listener?.onControl()),
    close: guard((webSocket, code) => {
      tcp.close(true);
      webSocket.getUserData().socket.closed(code);
    }),
  });

  app.any(
    "/*",
    guardRequest((response, request) => {
      const head = new UwsHead(request);
      // A body whose length can be read in two ways can hide another request. The library would handle that
      // one even after a response with "connection: close", so the connection is dropped first.
      if (head.isSmuggling) return void response.close();
      serve(response, request, head);
    }),
  );

  const { host, port } = options;
  const listenSocket = await new Promise<UwsListenSocket | false>((resolve) => {
    const sharing = options.sharesPort ? LISTEN_SHARED : uws.LIBUS_LISTEN_EXCLUSIVE_PORT;
    app.listen(host, port, sharing, resolve);
  });
  if (listenSocket === false) {
    throw listenError(host, port, await listenErrorCode(host, port));
  }
  let closed: Promise<void> | undefined;
  return {
    name: "uws",
    port: uws.us_socket_local_port(listenSocket),
    close() {
      // Closing the listening socket twice would be a use after free.
      closed ??= new Promise<void>((resolve) => {
        uws.us_listen_socket_close(listenSocket);
        // A body may come slowly, and without an end.
        const patience = setTimeout(resolve, HTTP_STALL_MS);
        onIdle = () => {
          clearTimeout(patience);
          resolve();
        };
        if (inHand === 0) onIdle();
      }).then(() => void app.close());
      return closed;
    },
  };
}
