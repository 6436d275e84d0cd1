import type { ServerResponse } from "node:http";
import type { Socket as TcpSocket } from "node:net";
import type { StrangerConnection } from "../../gateway/tcp-slots.ts";
import { TurnQuota } from "../../gateway/turn-quota.ts";
import { stopParsing } from "../../internals/stop-parsing.ts";
import { MAX_PIPELINED, type TransportOptions } from "../transport.ts";
import { type ExchangeConnection, type NodeRequest, serveNodeRequest } from "./node-exchange.ts";

/** What the connections of one server share. */
export class NodeHttp {
  readonly options: TransportOptions;
  /** Bounds the requests that arrive before the request ahead of them has its response. */
  readonly ahead = new TurnQuota(MAX_PIPELINED);
  #inHand = 0;
  #onIdle: (() => void) | undefined;

  constructor(options: TransportOptions) {
    this.options = options;
  }

  /** A request is to be served. `finished` is called once for each. */
  begun(): void {
    this.#inHand++;
  }

  finished(): void {
    this.#inHand--;
    if (this.#inHand === 0) this.#onIdle?.();
  }

  /** Calls back now if no request is in hand, and whenever none is in hand later. */
  whenIdle(onIdle: () => void): void {
    this.#onIdle = onIdle;
    if (this.#inHand === 0) onIdle();
  }
}

/**
 * One TCP connection. Node hands over all requests of a packet at once, and would keep all their responses in
 * memory. So requests wait here: each is served when the kernel has taken the response to the one before.
 */
export class NodeConnection implements StrangerConnection, ExchangeConnection {
  readonly peer: string;
  /** Whether the connection may stay. If not, it has been ended. */
  readonly isTaken: boolean;
  readonly #http: NodeHttp;
  readonly #tcp: TcpSocket;
  readonly #waiting: NodeRequest[] = [];
  #current: ServerResponse | undefined;
  #isClosing = false;
  #isStranger: boolean;
  #isWebSocket = false;
  #hasResponded = false;

  constructor(http: NodeHttp, tcp: TcpSocket) {
    this.#http = http;
    this.#tcp = tcp;
    this.peer = tcp.remoteAddress ?? "";
    const { options } = http;
    const opened = options.tcp.open(this.peer, this);
    this.isTaken = opened === "taken";
    this.#isStranger = this.isTaken;
    tcp.on("close", () => {
      this.endRequests();
      if (this.#isStranger) options.tcp.strangerLeft(this.peer, this);
      options.tcp.close(this.#isWebSocket);
    });
    if (opened === "taken") return;
    options.tcpRefused(opened);
    // A reset leaves nothing behind in the kernel, where thousands a second would pile up.
    if (opened === "too_often") tcp.resetAndDestroy();
    else tcp.destroy();
  }

  /** Whether the last response has been sent, or none will be sent any more. */
  get isClosing(): boolean {
    return this.#isClosing;
  }

  get isIdle(): boolean {
    return this.#hasResponded && this.#current === undefined;
  }

  /** Whether every response so far was handed to TCP. */
  get isFree(): boolean {
    const isOpen = !this.#isClosing && this.#waiting.length === 0;
    return isOpen && (this.#current === undefined || this.#current.writableEnded);
  }

  end(): void {
    // The slots no longer count it, so its end must not be counted again.
    this.#isStranger = false;
    this.#http.options.tcpRefused("share_used");
    this.#tcp.destroy();
  }

  /** Serves a request when all requests before it have their responses. */
  take(incoming: NodeRequest): void {
    // No request is handled after a response that ends the connection, not even one of the same packet.
    if (this.#isClosing) return;
    const isAhead = this.#current !== undefined;
    if (this.#waiting.length === MAX_PIPELINED || (isAhead && !this.#http.ahead.take())) {
      this.endRequests();
      this.#tcp.destroy();
      return;
    }
    this.#http.begun();
    this.#waiting.push(incoming);
    if (this.#current === undefined) this.#next();
  }

  endRequests(): void {
    this.#isClosing = true;
    stopParsing(this.#tcp);
    for (const _ of this.#waiting.splice(0)) this.#http.finished();
  }

  /** The connection is a WebSocket from now on. */
  upgraded(): void {
    this.#isWebSocket = true;
    this.#known();
    this.#http.options.tcp.upgraded();
  }

  authorized(): void {
    this.#known();
  }

  #known(): void {
    if (!this.#isStranger) return;
    this.#isStranger = false;
    this.#http.options.tcp.known(this.peer, this);
  }

  #next(): void {
    const next = this.#waiting.shift();
    if (next === undefined) return;
    const { response } = next;
    this.#current = response;
    response.on("error", () => response.destroy());
    response.on("close", () => {
      this.#current = undefined;
      this.#hasResponded = true;
      this.#http.finished();
      // Other connections are served in between.
      if (this.#waiting.length > 0) setImmediate(() => this.#next());
    });
    serveNodeRequest(this.#http.options, this, next).catch((error) => {
      this.#http.options.crashed(error);
      response.destroy();
    });
  }
}
