import type { SocketListener } from "../gateway/socket.ts";
import type { HttpResponse } from "../http/exchange.ts";
import {
  type Accept,
  handshakeError,
  isWebSocketRequest,
  NO_SUCH_PATH,
  offersSubprotocol,
  realtimeAppId,
  refusalResponse,
  SUBPROTOCOL,
  type Transport,
  type TransportOptions,
} from "./transport.ts";
import { TurnQuota } from "./turn-quota.ts";
import { peerOf, UwsExchange, UwsHttp } from "./uws-exchange.ts";
import { UwsHead } from "./uws-head.ts";
import { UwsSocket, UwsTurn } from "./uws-socket.ts";
import type { UwsContext, UwsListenSocket, UwsModule, UwsRequest, UwsResponse } from "./uws-types.ts";

/** A byte order mark is part of the text, and no JSON. */
const UTF_8 = new TextDecoder("utf-8", { ignoreBOM: true });

interface UserData {
  readonly socket: UwsSocket;
  listener: SocketListener | undefined;
}

/** uWebSockets.js: the fast one, where a build of it loads. */
export async function listenUws(uws: UwsModule, options: TransportOptions): Promise<Transport> {
  let inHand = 0;
  let onIdle: (() => void) | undefined;
  const finished = () => {
    inHand--;
    if (inHand === 0) onIdle?.();
  };

  /** An exception that reached the library would end the process. */
  const guard =
    <Args extends unknown[]>(handler: (...args: Args) => void) =>
    (...args: Args) => {
      try {
        handler(...args);
      } catch (error) {
        options.crashed(error);
      }
    };

  /** The same for handlers of requests; the library also ends the process if one returns without an answer. */
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
  const quota = new TurnQuota();
  const serve = (response: UwsResponse, request: UwsRequest, head: UwsHead) => {
    inHand++;
    const exchange = new UwsExchange(http, response, request, head);
    // The library closes a connection over which another request comes meanwhile: it had sent too many at
    // once.
    if (quota.take()) exchange.serve();
    else exchange.serveLate();
  };
  /** Answers a request for an upgrade, and closes: a proxy may take what follows it for WebSocket frames. */
  const refuse = (response: UwsResponse, refusal: HttpResponse) => {
    let isAborted = false;
    response.onAborted(() => {
      isAborted = true;
    });
    http.sendLast(response, refusal, false, () => isAborted);
  };

  const app = uws.App();
  const turn = new UwsTurn(options.crashed);
  /** Of the upgrade under way: `open` is called before it returns. */
  let accepting: Accept | undefined;
  // The library has no bound of its own. Once the process may open no more files it asks for the waiting
  // connection again and again, on all of a core, and lets nobody in.
  app.filter(
    guard((response, change) => {
      // An upgraded connection is counted out when its WebSocket has closed, also should a build tell of it here.
      if (accepting !== undefined) return;
      // Whose connection has ended is not told: there is no address any more, and no object stays the same.
      if (change < 0) return tcp.close(false);
      const opened = tcp.open(peerOf(response));
      if (opened === "taken") return;
      options.tcpRefused(opened);
      response.close();
    }),
  );
  app.ws<UserData>("/*", {
    maxPayloadLength: options.maxMessageBytes,
    // The gateway bounds what waits; what it allows must never be dropped here, for a dropped diff is a silent gap.
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
      // The library asks for a key only. What a proxy takes for an ordinary request must not become a WebSocket: the
      // proxy would take its frames for answers.
      if (!isWebSocketRequest(head)) return serve(response, request, head);
      const peer = peerOf(response);
      const address = options.clientAddress(peer, head["x-forwarded-for"]);
      const appId = realtimeAppId(request.getUrl());
      const fault = appId === undefined ? NO_SUCH_PATH : handshakeError(head);
      if (fault !== undefined) return refuse(response, options.refuseHandshake(address, fault));
      const admission = options.upgrade({ appId: appId!, origin: head.origin, address });
      if (!admission.ok) {
        return refuse(response, options.refuseHandshake(address, refusalResponse(admission)));
      }
      accepting = admission.accept;
      try {
        response.upgrade<UserData>(
          { socket: new UwsSocket(turn), listener: undefined },
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
      const data = webSocket.getUserData();
      data.listener = data.socket.open(webSocket, accepting!);
    }),
    message(webSocket, message, isBinary) {
      // `guard` by hand: this is called more than all others together.
      try {
        const { socket, listener } = webSocket.getUserData();
        turn.socket = socket;
        if (isBinary) listener?.onBinary();
        // The bytes are gone when this handler returns: the text is a copy.
        else listener?.onText(UTF_8.decode(message), message.byteLength);
      } catch (error) {
        options.crashed(error);
      } finally {
        turn.socket = undefined;
      }
    },
    drain: guard((webSocket) => webSocket.getUserData().socket.checkDrained()),
    ping: guard((webSocket) => webSocket.getUserData().listener?.onControl()),
    pong: guard((webSocket) => webSocket.getUserData().listener?.onControl()),
    close: guard((webSocket, code) => {
      tcp.close(true);
      webSocket.getUserData().socket.closed(code);
    }),
  });

  app.any(
    "/*",
    guardRequest((response, request) => {
      const head = new UwsHead(request);
      // A body whose length can be read in two ways can hide another request, and the library would run it even after
      // an answer with "connection: close". Dropping the connection first is what helps.
      if (head.isSmuggling) return void response.close();
      serve(response, request, head);
    }),
  );

  const listenSocket = await new Promise<UwsListenSocket | false>((resolve) => {
    app.listen(options.host, options.port, uws.LIBUS_LISTEN_EXCLUSIVE_PORT, resolve);
  });
  if (listenSocket === false) {
    const message = `cannot listen on ${options.host}:${options.port}: it is in use or not permitted`;
    throw Object.assign(new Error(message), { code: "EADDRINUSE" });
  }
  let closed: Promise<void> | undefined;
  return {
    name: "uws",
    port: uws.us_socket_local_port(listenSocket),
    close() {
      // Closing the listening socket twice would be a use after free.
      closed ??= new Promise<void>((resolve) => {
        uws.us_listen_socket_close(listenSocket);
        onIdle = resolve;
        if (inHand === 0) resolve();
      }).then(() => void app.close());
      return closed;
    },
  };
}
