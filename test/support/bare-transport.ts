import { once } from "node:events";
import { connect, type Socket as TcpSocket } from "node:net";
import { expect } from "vitest";
import { WebSocket } from "ws";
import type { Socket, UpgradeAnswer, UpgradeRequest } from "../../src/server/gateway/socket.ts";
import { BodyBudget } from "../../src/server/http/body-budget.ts";
import { BodyWanted, type HttpHandler, jsonResponse } from "../../src/server/http/exchange.ts";
import type { Transport, TransportOptions } from "../../src/server/transport/transport.ts";
import { loadUws } from "../../src/server/transport/uws/load-uws.ts";
import { listenUws } from "../../src/server/transport/uws/uws.ts";
import { listenWs } from "../../src/server/transport/ws/ws.ts";
import { ownPort } from "../programs/own-port.ts";
import { limitsOf, tcpSlots } from "./transport-options.ts";

/** One address may have half of them where a transport does not tell whose connection has ended. */
export const MAX_TCP_CONNECTIONS = 600;

/** Accepts one WebSocket, and records what happens to it. */
export class Recorder {
  readonly events: unknown[][] = [];
  socket!: Socket;
  accept = (socket: Socket) => {
    this.socket = socket;
    return {
      onText: (text: string, bytes: number) => this.events.push(["text", text, bytes]),
      onBinary: () => this.events.push(["binary"]),
      onControl: () => this.events.push(["control"]),
      onFlush: () => {},
      onDrain: () => this.events.push(["drain"]),
      onClose: (code: number) => this.events.push(["close", code]),
    };
  };
  count(name: string): number {
    return this.events.filter(([event]) => event === name).length;
  }
}

export function listen(name: "ws" | "uws", options: TransportOptions): Promise<Transport> {
  return name === "uws" ? listenUws(loadUws().uws!, options) : listenWs(options);
}

/** A transport without a gateway behind it. What it asks for is decided by the test, and recorded. */
export class BareTransport {
  readonly recorder = new Recorder();
  readonly upgrades: UpgradeRequest[] = [];
  readonly crashes: unknown[] = [];
  /** 50,000 bytes, of which each owner may have a quarter. */
  readonly bodies = new BodyBudget(400_000);
  abandoned = 0;
  tcpRefused = 0;
  bodyRefused = 0;
  transport!: Transport;

  /** To be replaced, like `handle`. */
  answer: (recorder: Recorder) => UpgradeAnswer = ({ accept }) => ({
    ok: true,
    accept,
    abandon: () => this.abandoned++,
  });

  /** Responds with the request. */
  handle: HttpHandler = (request) => {
    const { method, path, query, headers, contentLength, isForwarded } = request;
    const head = { method, path, query, headers, contentLength, isForwarded, address: request.address() };
    return new BodyWanted("app", (body) => jsonResponse(200, { ...head, body: body.toString() }));
  };

  static async start(name: "ws" | "uws"): Promise<BareTransport> {
    const bare = new BareTransport();
    bare.transport = await listen(name, {
      host: "127.0.0.1",
      // A port of its own, so that no other program listens on it when it is closed.
      port: await ownPort(),
      maxMessageBytes: 1_000,
      maxBufferedBytes: 1_048_576,
      ...limitsOf(name),
      tcp: tcpSlots(name, MAX_TCP_CONNECTIONS),
      tcpRefused: () => bare.tcpRefused++,
      bodies: bare.bodies,
      bodyRefused: () => bare.bodyRefused++,
      upgrade: (request) => {
        bare.upgrades.push(request);
        return bare.answer(bare.recorder);
      },
      handle: (request) => bare.handle(request),
      clientAddress: (peer, forwardedFor) => `${peer}|${forwardedFor ?? ""}`,
      crashed: (error) => bare.crashes.push(error),
    });
    return bare;
  }

  /** Closes it. What crashed, and was not taken from `crashes`, fails the test. */
  async stop(): Promise<void> {
    this.recorder.socket?.terminate();
    await this.transport.close();
    expect(this.crashes).toEqual([]);
  }

  get port(): number {
    return this.transport.port;
  }

  url(path: string): string {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  /** Opens a WebSocket. */
  async open(path = "/v1/app/realtime", protocols: string[] = [], options: object = {}): Promise<WebSocket> {
    const client = new WebSocket(`ws://127.0.0.1:${this.port}${path}`, protocols, options);
    client.on("error", () => {});
    await once(client, "open");
    return client;
  }

  /** Opens a TCP connection, and writes a text. */
  async raw(text = "", localAddress = "127.0.0.1"): Promise<TcpSocket> {
    const tcp = connect({ port: this.port, host: "127.0.0.1", localAddress });
    tcp.on("error", () => {});
    await once(tcp, "connect");
    tcp.write(text);
    return tcp;
  }
}
