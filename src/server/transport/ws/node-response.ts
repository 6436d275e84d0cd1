import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket as TcpSocket } from "node:net";
import type { Duplex } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { BodyListener, BodySink } from "../../gateway/body-sink.ts";
import { CLOSE_TIMEOUT_MS } from "../../gateway/gateway-config.ts";
import { type HttpResponse, isWhole, type WholeBody } from "../../http/exchange.ts";
import { bytesTaken } from "../../internals/bytes-taken.ts";
import { HTTP_STALL_MS, PIECES_PER_TURN } from "../transport.ts";
import { NodeBodySink } from "./node-body-sink.ts";

/** The kernel takes so many bytes at once from a connection on which nothing waits. */
const SURELY_TAKEN_BYTES = 16 * 1024;
const STALL_CHECKS = 5;

/**
 * Sends a response. A promise is returned if it is made piece by piece, and resolves when Node has all
 * pieces.
 */
export function sendResponse(
  reply: HttpResponse,
  request: IncomingMessage,
  response: ServerResponse,
): void | Promise<void> {
  const { status, headers, body } = reply;
  if (isWhole(body)) return sendWhole(reply, body, request, response);
  if (typeof body === "function") return startStream(reply, body, request, response);
  response.writeHead(status, headers);
  if (request.method !== "HEAD") return sendPieces(body, request, response);
  response.end();
}

/** Sends a response on a bare socket, and ends the connection. */
export function refuse(socket: Duplex, { status, headers, body }: HttpResponse): void {
  const text = body as string;
  const head = Object.entries({ ...headers, "content-length": Buffer.byteLength(text), connection: "close" });
  const lines = head.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines}\r\n${text}`);
  // Unread bytes would hide the end of the connection, and it would stay for good.
  socket.resume();
  const patience = setTimeout(() => socket.destroy(), CLOSE_TIMEOUT_MS);
  socket.on("close", () => clearTimeout(patience));
}

function sendWhole(
  { status, headers }: HttpResponse,
  body: WholeBody,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const length = Buffer.byteLength(body);
  response.writeHead(status, { ...headers, "content-length": length });
  if (length > SURELY_TAKEN_BYTES) endOnStall(response, request.socket);
  response.end(request.method === "HEAD" ? undefined : body);
}

async function sendPieces(
  pieces: Iterator<string>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  endOnStall(response, request.socket);
  let sent = 0;
  for (let piece = pieces.next(); !piece.done && !response.destroyed; piece = pieces.next()) {
    if (!response.write(piece.value)) await drained(response);
    // Each piece takes work, so other requests are served in between.
    else if (++sent % PIECES_PER_TURN === 0) await nextTurn();
  }
  response.end();
}

function startStream(
  { status, headers }: HttpResponse,
  start: (sink: BodySink) => BodyListener,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const isGone = response.destroyed || request.socket.destroyed;
  const sink = new NodeBodySink(response, request.socket);
  if (!isGone) {
    request.socket.setTimeout(0);
    response.writeHead(status, headers);
    response.flushHeaders();
  }
  const listener = start(sink);
  sink.listener = listener;
  response.on("close", () => listener.onClose());
  if (isGone) listener.onClose();
}

/**
 * Disconnects a client that takes nothing of its response for `HTTP_STALL_MS`. Node waits for twice its
 * timeout.
 */
function endOnStall(response: ServerResponse, tcp: TcpSocket): void {
  let taken: number | undefined;
  let idleChecks = 0;
  const timer = setInterval(() => {
    const now = bytesTaken(tcp);
    idleChecks = now === taken ? idleChecks + 1 : 0;
    taken = now;
    if (idleChecks === STALL_CHECKS) response.destroy();
  }, HTTP_STALL_MS / STALL_CHECKS);
  response.on("close", () => clearInterval(timer));
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.on("drain", done);
    response.on("close", done);
  });
}
