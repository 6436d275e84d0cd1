import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import type { Random } from "./random.ts";

/** Those who do not keep to any protocol: raw TCP, at the gateway's port. */
export class RudeSocket {
  readonly tcp: Socket;
  readonly #upgraded: Promise<boolean>;
  #pongs: NodeJS.Timeout | undefined;
  readonly closed: Promise<void>;

  constructor(port: number, appId: string) {
    this.tcp = connect({ port, host: "127.0.0.1", noDelay: true });
    this.tcp.on("error", () => {});
    this.closed = new Promise((resolve) => this.tcp.once("close", () => resolve()));
    this.tcp.write(
      `GET /v1/${appId}/realtime HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n\r\n`,
    );
    this.#upgraded = new Promise((resolve) => {
      this.tcp.once("data", (data) => resolve(data.includes(" 101 ")));
      this.tcp.once("close", () => resolve(false));
    });
  }

  get upgraded(): Promise<boolean> {
    return this.#upgraded;
  }

  text(message: object | string): void {
    this.frame(1, Buffer.from(typeof message === "string" ? message : JSON.stringify(message)));
  }

  /** A frame as a client may send it; its mask is zero, so that the payload stands as it is. */
  frame(opcode: number, payload: Buffer, firstByte = 0x80 | opcode): void {
    const { length } = payload;
    const size = length < 126 ? [0x80 | length] : [0x80 | 126, length >> 8, length & 255];
    if (!this.tcp.destroyed)
      this.tcp.write(Buffer.concat([Buffer.from([firstByte, ...size, 0, 0, 0, 0]), payload]));
  }

  /** Reads nothing from now on, and says all the same that it is alive. */
  playDead(): void {
    this.tcp.pause();
    this.#pongs = setInterval(() => this.frame(10, Buffer.alloc(0)), 500);
  }

  /** Something that is no frame, or no message. */
  offend(random: Random): void {
    random.pick([
      () => this.frame(3, Buffer.from("a reserved opcode")),
      () => this.frame(1, Buffer.from("{}"), 0xc1),
      () => this.frame(0, Buffer.from("a continuation of nothing")),
      () => this.frame(9, Buffer.alloc(300)),
      () => this.frame(1, Buffer.from([0xff, 0xfe, 0xc0])),
      () => this.frame(2, Buffer.from([1, 2, 3])),
      () => this.frame(8, Buffer.from([3])),
      () => this.frame(8, Buffer.from([999 >> 8, 999 & 255])),
      () => this.text("not JSON"),
      () => {
        for (let i = 0; i < 25; i++) this.text({ type: "nonsense", __proto__: null });
      },
      () =>
        this.tcp.write(Buffer.from([0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0])),
      () => this.tcp.write(randomBytes(400)),
      () => this.text(`{"type":"open","kind":"widget","custom":${"[".repeat(5_000)}`),
    ])();
  }

  end(): void {
    clearInterval(this.#pongs);
    this.tcp.resetAndDestroy();
  }
}
