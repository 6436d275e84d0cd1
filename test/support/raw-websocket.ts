import { isUtf8 } from "node:buffer";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { PATIENCE_MS } from "./until.ts";
import { Waiters } from "./waiters.ts";

// A WebSocket client that sends anything, correct or not, and checks everything that it receives.

export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;
export const CONTINUATION = 0;

export interface FrameOptions {
  readonly fin?: boolean;
  /** The three reserved bits, 0 to 7; RSV1 is 4. */
  readonly rsv?: number;
  readonly opcode?: number;
  readonly payload?: string | Uint8Array;
  /** Four bytes. Null means no mask, as servers send and clients must not. */
  readonly mask?: Uint8Array | null;
  /** Number of bytes for the length: 0 (in the second byte), 2 or 8. By default the shortest. */
  readonly lengthBytes?: 0 | 2 | 8;
  /** The stated length, if it differs from the real one. */
  readonly length?: bigint;
}

const MASK = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d);

/** One frame, by default as a correct client sends it. */
export function frame(options: FrameOptions): Buffer {
  const { fin = true, rsv = 0, opcode = TEXT, mask = MASK } = options;
  const payload = Buffer.from((options.payload as Uint8Array | undefined) ?? []);
  const length = options.length ?? BigInt(payload.length);
  const lengthBytes = options.lengthBytes ?? (length < 126n ? 0 : length < 65_536n ? 2 : 8);
  const head = Buffer.alloc(2 + lengthBytes + (mask === null ? 0 : 4));
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  head[1] = (mask === null ? 0 : 0x80) | (lengthBytes === 8 ? 127 : lengthBytes === 2 ? 126 : Number(length));
  if (lengthBytes === 8) head.writeBigUInt64BE(length, 2);
  else if (lengthBytes === 2) head.writeUInt16BE(Number(length), 2);
  if (mask !== null) {
    head.set(mask, 2 + lengthBytes);
    for (let i = 0; i < payload.length; i++) payload[i]! ^= mask[i % 4]!;
  }
  return Buffer.concat([head, payload]);
}

/** A close frame; without a code it has no payload. */
export function closeFrame(code?: number, reason: string | Uint8Array = ""): Buffer {
  if (code === undefined) return frame({ opcode: CLOSE });
  return frame({
    opcode: CLOSE,
    payload: Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason as Uint8Array)]),
  });
}

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

export interface UpgradeOptions {
  readonly path: string;
  readonly line?: string;
  /** Headers that replace the usual ones; undefined omits one. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  /** More lines after the headers, unchanged. */
  readonly lines?: readonly string[];
  /** The local address to connect from. Any address in 127/8 works. */
  readonly localAddress?: string | undefined;
}

/** An upgrade request that is complete and correct except for the given parts. */
export function upgradeRequest({ path, line, headers = {}, lines = [] }: UpgradeOptions): Buffer {
  const usual: Record<string, string | undefined> = {
    Host: "gateway",
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
    ...headers,
  };
  const written = Object.entries(usual).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}`],
  );
  return Buffer.from(
    `${[line ?? `GET ${path} HTTP/1.1`, ...written, ...lines].join("\r\n")}\r\n\r\n`,
    "latin1",
  );
}

export interface ReceivedFrame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** How a connection ended: with a close frame and its code (1005 without one), or without a close frame. */
export type End = { readonly closed: number; readonly reason: string } | "dropped";

/** A WebSocket connection at byte level. It checks received bytes strictly against the standard. */
export class RawWebSocket {
  readonly tcp: Socket;
  readonly frames: ReceivedFrame[] = [];
  /** Violations of the standard by the server. */
  readonly violations: string[] = [];
  /** The response to the upgrade request, without the bytes after it. */
  head = "";
  /** Bytes received when the upgrade was refused. */
  body = "";
  /** The end of the TCP connection. A close frame alone does not end it. */
  readonly ended: Promise<End>;
  #closeFrame: { closed: number; reason: string } | undefined;
  #isOver = false;
  #held: Buffer = Buffer.alloc(0);
  readonly #waiters = new Waiters();

  private constructor(tcp: Socket) {
    this.tcp = tcp;
    tcp.setNoDelay(true);
    tcp.on("error", () => {});
    tcp.on("data", (bytes) => {
      this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
      this.#read();
      this.#wake();
    });
    this.ended = new Promise((resolve) => {
      tcp.on("close", () => {
        this.#isOver = true;
        if (this.#isUpgraded && this.#held.length > 0) this.violations.push("ended amid a frame");
        resolve(this.#closeFrame ?? "dropped");
        this.#wake();
      });
    });
  }

  /** Connects TCP and sends nothing. */
  static async dial(port: number, host = "127.0.0.1", localAddress?: string): Promise<RawWebSocket> {
    const tcp = connect({ port, host, ...(localAddress === undefined ? {} : { localAddress }) });
    const client = new RawWebSocket(tcp);
    await once(tcp, "connect");
    return client;
  }

  /** Sends the upgrade request. Waits until the head of the response or the connection ends. */
  static async open(port: number, options: UpgradeOptions): Promise<RawWebSocket> {
    const client = await RawWebSocket.dial(port, undefined, options.localAddress);
    client.tcp.write(upgradeRequest(options));
    await client.until(() => client.head !== "");
    return client;
  }

  get status(): number {
    return Number(/^HTTP\/1\.1 (\d{3}) /.exec(this.head)?.[1] ?? 0);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** The close frame, once it has arrived. */
  get closeFrame(): { readonly closed: number; readonly reason: string } | undefined {
    return this.#closeFrame;
  }

  /** The received texts, parsed as JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look at messages of every shape
  get messages(): any[] {
    return this.frames
      .filter(({ opcode }) => opcode === TEXT)
      .map(({ payload }) => JSON.parse(String(payload)));
  }

  write(bytes: string | Uint8Array): void {
    if (!this.tcp.destroyed) this.tcp.write(bytes);
  }

  send(message: unknown): void {
    this.write(frame({ payload: JSON.stringify(message) }));
  }

  /** Writes pieces as separate packets. A server in this process reads each one separately. */
  async writeSliced(pieces: Iterable<Uint8Array>): Promise<void> {
    for (const piece of pieces) {
      if (this.#isOver || this.tcp.destroyed) return;
      this.tcp.write(piece);
      await nextTurn();
    }
  }

  /** Waits until a condition holds or the connection has ended. */
  async until(isSo: () => boolean, patienceMs = PATIENCE_MS): Promise<void> {
    const deadline = performance.now() + patienceMs;
    while (!isSo() && !this.#isOver) {
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`not so within ${patienceMs} ms: ${isSo}`);
      await this.#waiters.wait(left);
    }
  }

  destroy(): void {
    this.tcp.destroy();
  }

  #wake(): void {
    this.#waiters.wake();
  }

  get #isUpgraded(): boolean {
    return this.status === 101;
  }

  #read(): void {
    if (this.head === "") {
      const end = this.#held.indexOf("\r\n\r\n");
      if (end === -1) return;
      this.head = this.#held.toString("latin1", 0, end + 4);
      this.#held = this.#held.subarray(end + 4);
      if (this.#isUpgraded && !this.head.includes(ACCEPT))
        this.violations.push("a wrong Sec-WebSocket-Accept");
    }
    if (!this.#isUpgraded) {
      this.body += this.#held.toString("latin1");
      this.#held = Buffer.alloc(0);
    } else while (this.#readFrame());
  }

  /** Takes one complete frame from the held bytes, if there is one. */
  #readFrame(): boolean {
    const held = this.#held;
    if (held.length < 2) return false;
    const [first, second] = [held[0]!, held[1]!];
    const marker = second & 0x7f;
    const start = marker === 127 ? 10 : marker === 126 ? 4 : 2;
    if (held.length < start) return false;
    const length =
      marker === 127 ? Number(held.readBigUInt64BE(2)) : marker === 126 ? held.readUInt16BE(2) : marker;
    if (held.length < start + length) return false;
    const opcode = first & 15;
    const payload = Buffer.from(held.subarray(start, start + length));
    this.#held = held.subarray(start + length);
    if ((first & 0x80) === 0) this.violations.push("a fragment");
    if ((first & 0x70) !== 0) this.violations.push("a reserved bit");
    if ((second & 0x80) !== 0) this.violations.push("a masked frame");
    if (![TEXT, CLOSE, PING, PONG].includes(opcode)) this.violations.push(`the opcode ${opcode}`);
    if ((marker === 126 && length < 126) || (marker === 127 && length < 65_536))
      this.violations.push("a long length");
    if (opcode >= CLOSE && length > 125) this.violations.push("a control frame that is too long");
    if (opcode === TEXT && !isUtf8(payload)) this.violations.push("a text that is not UTF-8");
    if (this.#closeFrame !== undefined) this.violations.push(`the opcode ${opcode} after a close frame`);
    if (opcode === CLOSE) this.#readClose(payload);
    else this.frames.push({ opcode, payload });
    return true;
  }

  #readClose(payload: Buffer): void {
    if (payload.length === 1) this.violations.push("a close frame of one byte");
    if (!isUtf8(payload.subarray(2))) this.violations.push("a reason that is not UTF-8");
    const closed = payload.length < 2 ? 1005 : payload.readUInt16BE(0);
    const isValid =
      (closed >= 1000 && closed <= 1014 && closed !== 1004 && closed !== 1006) ||
      (closed >= 3000 && closed <= 4999);
    if (!isValid) this.violations.push(`the close code ${closed}`);
    this.#closeFrame = { closed, reason: String(payload.subarray(2)) };
  }
}

/**
 * Cuts bytes into pieces. A short sequence becomes single bytes. A long one becomes single bytes at both
 * ends, where the frame heads are, and a few hundred pieces of odd length between.
 */
export function* sliced(bytes: Buffer, most = 400): Generator<Buffer> {
  const edge = most / 4;
  const between = Math.ceil(Math.max(0, bytes.length - 2 * edge) / (most - 2 * edge)) | 1;
  for (let at = 0; at < bytes.length; ) {
    const isEdge = bytes.length <= most || at < edge || at >= bytes.length - edge;
    const size = isEdge ? 1 : Math.min(between, bytes.length - edge - at);
    yield bytes.subarray(at, at + size);
    at += size;
  }
}
