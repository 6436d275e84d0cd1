import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket as TcpSocket } from "node:net";
import type { Duplex } from "node:stream";
import { errorResponse } from "../../http/exchange.ts";
import { takeConnectionListener } from "../../internals/connection-listener.ts";
import { isResponseUnderWay } from "../../internals/response-under-way.ts";
import { listenError } from "../listen-error.ts";
import { hasReusePort } from "../reuse-port.ts";
import {
  type HandshakeHeaders,
  HTTP_STALL_MS,
  isWebSocketRequest,
  MAX_HEADER_BYTES,
  MAX_HEADERS,
  type TransportOptions,
} from "../transport.ts";
import { NodeConnection, NodeHttp } from "./node-connection.ts";
import { hasTooManyHeaders, headError, readHandshake, TOO_MANY_HEADERS } from "./node-head.ts";
import { refuse } from "./node-response.ts";

const HEADERS_TOO_LARGE = errorResponse(431, { headers: ["are too large"] });
const TOOK_TOO_LONG = errorResponse(408, { request: ["took too long"] });
const NOT_HTTP = errorResponse(400, { request: ["is not valid HTTP"] });

export interface HttpServer {
  /** Resolves with the port. */
  listen(): Promise<number>;
  /** Ends every connection without a request in hand, and resolves when the others have their responses. */
  close(): Promise<void>;
}

/**
 * HTTP on node:http. `upgrade` gets the requests for WebSockets, and returns whether it made one; it may
 * throw.
 */
export function createHttpServer(
  options: TransportOptions,
  upgrade: (request: IncomingMessage, handshake: HandshakeHeaders, socket: Duplex, head: Buffer) => boolean,
): HttpServer {
  const server = createServer({
    headersTimeout: HTTP_STALL_MS,
    requestTimeout: 1.5 * HTTP_STALL_MS,
    connectionsCheckingInterval: 2_000,
    keepAliveTimeout: HTTP_STALL_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
  });
  // Silence in both directions. WebSockets and streams turn it off, and the gateway watches them.
  server.timeout = HTTP_STALL_MS;
  // One more than is allowed: Node drops the headers beyond this number without a word, and `headError` must
  // see that there are too many. Reading all of tens of thousands would take milliseconds.
  server.maxHeadersCount = MAX_HEADERS + 1;
  // Cheaper than to accept a connection and close it.
  server.maxConnections = options.tcp.maxConnections;
  server.on("drop", () => options.tcpRefused("full"));

  const http = new NodeHttp(options);
  const connections = new WeakMap<TcpSocket, NodeConnection>();
  const parse = takeConnectionListener(server);
  server.on("connection", (tcp) => {
    // A connection comes here again if `ignoreUpgrade` has put its request back.
    if (!connections.has(tcp)) {
      // It was reset while it waited, so there is no client to count or to respond to.
      if (tcp.remoteAddress === undefined) return void tcp.destroy();
      const connection = new NodeConnection(http, tcp);
      if (!connection.isTaken) return;
      connections.set(tcp, connection);
    }
    parse(tcp);
  });
  const take = (request: IncomingMessage, response: ServerResponse, expectsContinue: boolean) =>
    connections.get(request.socket)?.take({ request, response, expectsContinue });
  server.on("request", (request, response) => take(request, response, false));
  server.on("checkContinue", (request, response) => take(request, response, true));
  // Without this listener Node responds at once, and nothing counts that.
  server.on("checkExpectation", (request, response) => take(request, response, true));
  server.on("upgrade", (request, socket, head) => {
    const connection = connections.get(request.socket);
    // An earlier request has no response yet. An error response would be read as a part of it.
    if (connection?.isFree !== true) return void socket.destroy();
    // One listener for each connection: it comes here again if `ignoreUpgrade` has put its request back.
    socket.off("error", destroyOnError).on("error", destroyOnError);
    if (hasTooManyHeaders(request)) return refuse(socket, TOO_MANY_HEADERS);
    const handshake = readHandshake(request);
    const isGet = request.method === "GET";
    if (!isGet || !isWebSocketRequest(handshake)) return ignoreUpgrade(server, request, socket, head);
    try {
      const refusal = headError(request, ["1.1"]);
      if (refusal !== undefined) refuse(socket, refusal);
      else if (upgrade(request, handshake, socket, head)) connection.upgraded();
    } catch (error) {
      options.crashed(error);
      socket.destroy();
    }
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    const connection = connections.get(socket as TcpSocket);
    // A response is under way. An error response would be read as a part of it.
    if (connection?.isClosing === true) return;
    connection?.endRequests();
    if (isResponseUnderWay(socket)) return void socket.destroy();
    if (!socket.writable || error.code === "ECONNRESET") return void socket.destroy();
    if (error.code === "HPE_HEADER_OVERFLOW") refuse(socket, HEADERS_TOO_LARGE);
    else if (error.code === "ERR_HTTP_REQUEST_TIMEOUT") refuse(socket, TOOK_TOO_LONG);
    else refuse(socket, NOT_HTTP);
  });

  return {
    async listen() {
      await new Promise<void>((resolve, reject) => {
        const refused = ({ code }: NodeJS.ErrnoException) => {
          reject(listenError(options.host, options.port, code));
        };
        server.once("error", refused);
        const reusePort = options.sharesPort === true && hasReusePort();
        server.listen({ host: options.host, port: options.port, backlog: 4_096, reusePort }, () => {
          server.removeListener("error", refused);
          server.on("error", options.crashed);
          resolve();
        });
      });
      const address = server.address();
      return typeof address === "object" && address !== null ? address.port : options.port;
    },
    close() {
      return new Promise((resolve) => {
        // From now on Node no longer ends slow requests.
        const patience = setTimeout(() => server.closeAllConnections(), HTTP_STALL_MS);
        server.close(() => {
          clearTimeout(patience);
          resolve();
        });
        http.whenIdle(() => server.closeAllConnections());
      });
    },
  };
}

function destroyOnError(this: Duplex): void {
  this.destroy();
}

/**
 * Puts a request back without its offer of another protocol. Some clients make such an offer with their first
 * request (h2c), and Node hands over the bare connection with each.
 */
function ignoreUpgrade(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const { method, url, httpVersion, rawHeaders } = request;
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (!/^upgrade$/i.test(rawHeaders[i]!)) lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`);
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), head]));
  server.emit("connection", socket);
}
