import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import type { Random } from "../support/random.ts";
import {
  BINARY,
  CLOSE,
  CONTINUATION,
  closeFrame,
  type FrameOptions,
  frame,
  PING,
  PONG,
  upgradeRequest,
} from "../support/raw-websocket.ts";

/** A separate address, because sockets that never connect use up the limit of an address. */
const ADDRESS = "127.0.0.66";

/** Clients without a protocol: raw TCP to the gateway's port. */
export class RudeSocket {
  readonly tcp: Socket;
  readonly #upgraded: Promise<boolean>;
  #pongs: NodeJS.Timeout | undefined;
  readonly closed: Promise<void>;

  constructor(port: number, appId: string) {
    this.tcp = connect({ port, host: "127.0.0.1", localAddress: ADDRESS, noDelay: true });
    this.tcp.on("error", () => {});
    this.closed = new Promise((resolve) => this.tcp.once("close", () => resolve()));
    this.tcp.write(upgradeRequest({ path: `/v1/${appId}/realtime` }));
    this.#upgraded = new Promise((resolve) => {
      this.tcp.once("data", (data) => resolve(data.includes(" 101 ")));
      this.tcp.once("close", () => resolve(false));
    });
  }

  get upgraded(): Promise<boolean> {
    return this.#upgraded;
  }

  text(message: object | string): void {
    this.frame({ payload: typeof message === "string" ? message : JSON.stringify(message) });
  }

  frame(options: FrameOptions): void {
    this.#write(frame(options));
  }

  /** Stops reading, but still replies that it is alive. */
  playDead(): void {
    this.tcp.pause();
    this.#pongs = setInterval(() => this.frame({ opcode: PONG }), 500);
  }

  /** Sends bytes that are not a frame, or not a message. */
  offend(random: Random): void {
    random.pick([
      () => this.frame({ opcode: 3, payload: "a reserved opcode" }),
      () => this.frame({ rsv: 4, payload: "{}" }),
      () => this.frame({ opcode: CONTINUATION, payload: "a continuation of nothing" }),
      () => this.frame({ opcode: PING, payload: Buffer.alloc(300) }),
      () => this.frame({ payload: Buffer.from([0xff, 0xfe, 0xc0]) }),
      () => this.frame({ opcode: BINARY, payload: Buffer.from([1, 2, 3]) }),
      () => this.frame({ opcode: CLOSE, payload: Buffer.from([3]) }),
      () => this.#write(closeFrame(999)),
      () => this.text("not JSON"),
      () => {
        for (let i = 0; i < 25; i++) this.text({ type: "nonsense", __proto__: null });
      },
      () => this.frame({ length: 2n ** 63n - 1n }),
      () => this.#write(randomBytes(400)),
      () => this.text(`{"type":"open","kind":"widget","custom":${"[".repeat(5_000)}`),
    ])();
  }

  end(): void {
    clearInterval(this.#pongs);
    this.tcp.resetAndDestroy();
  }

  #write(bytes: Buffer): void {
    if (!this.tcp.destroyed) this.tcp.write(bytes);
  }
}
