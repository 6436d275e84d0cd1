import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";

const HANDSHAKE_END = Buffer.from("\r\n\r\n");
const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

export interface OpenOptions {
  /** The local address to connect from. */
  readonly localAddress?: string;
  /** Time limit for the upgrade. */
  readonly timeoutMs?: number;
}

/**
 * A WebSocket client with minimal cost, because it shares the machine with the server under test. It writes
 * prepared frames, counts received frames, and answers pings.
 */
export class LightSocket {
  /** Number of received text frames. */
  received = 0;
  /** Called for each text frame. The payload is valid only during the call. */
  onText: ((payload: Buffer) => void) | undefined;
  readonly #tcp: Socket;
  #rest: Buffer | undefined;

  private constructor(tcp: Socket) {
    this.#tcp = tcp;
  }

  static async open(
    port: number,
    path: string,
    { localAddress, timeoutMs = 60_000 }: OpenOptions = {},
  ): Promise<LightSocket> {
    const tcp = connect({ host: "127.0.0.1", port, noDelay: true, ...(localAddress && { localAddress }) });
    const timer = setTimeout(() => tcp.destroy(new Error("no response in time")), timeoutMs);
    tcp.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n\r\n`,
    );
    const [head] = (await once(tcp, "data").finally(() => clearTimeout(timer))) as [Buffer];
    const end = head.indexOf(HANDSHAKE_END);
    if (!head.subarray(0, 12).equals(Buffer.from("HTTP/1.1 101")) || end === -1) {
      tcp.destroy();
      throw new Error(`no upgrade: ${head.toString().slice(0, 200)}`);
    }
    const socket = new LightSocket(tcp);
    // The first message may have arrived with the head. It is read after the caller can set `onText`.
    tcp.pause();
    tcp.unshift(head.subarray(end + HANDSHAKE_END.length));
    tcp.on("data", (chunk) => socket.#read(chunk));
    tcp.on("error", () => tcp.destroy());
    tcp.resume();
    return socket;
  }

  /** Calls back when the connection closes. Returns a function that cancels the callback. */
  onGone(gone: (error: Error) => void): () => void {
    const onClose = () => gone(new Error("the server dropped a socket of the benchmark"));
    this.#tcp.once("close", onClose);
    return () => this.#tcp.off("close", onClose);
  }

  write(frame: Buffer): void {
    this.#tcp.write(frame);
  }

  /** Writes a frame. Resolves with the next text frame, or with the next one that `isAnswer` accepts. */
  request(frame: Buffer, isAnswer?: (text: string) => boolean): Promise<string> {
    const answer = this.next(isAnswer);
    this.write(frame);
    return answer;
  }

  /** Writes frames. Resolves with the same number of received texts. */
  requestAll(frames: readonly Buffer[]): Promise<string[]> {
    const answers = this.#nextTexts(frames.length);
    this.write(Buffer.concat(frames));
    return answers;
  }

  /** The next text, or the next one that `isMeant` accepts. */
  async next(isMeant?: (text: string) => boolean): Promise<string> {
    const [text] = await this.#nextTexts(1, isMeant);
    return text!;
  }

  #nextTexts(count: number, isMeant: (text: string) => boolean = () => true): Promise<string[]> {
    const { onText } = this;
    const texts: string[] = [];
    return new Promise((resolve, reject) => {
      const stop = this.onGone(reject);
      this.onText = (payload) => {
        const text = payload.toString();
        if (!isMeant(text)) return onText?.(payload);
        if (texts.push(text) < count) return;
        this.onText = onText;
        stop();
        resolve(texts);
      };
    });
  }

  /** Closes with code 1000, so that the server ends the sessions. Resolves when the connection is closed. */
  async close(): Promise<void> {
    if (this.#tcp.destroyed) return;
    const closed = once(this.#tcp, "close");
    this.write(CLOSE_FRAME);
    await closed;
  }

  /** Resets the connection without a close frame, like a lost network. */
  cut(): void {
    this.#tcp.resetAndDestroy();
  }

  #read(chunk: Buffer): void {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = undefined;
    let at = 0;
    while (at + 2 <= bytes.length) {
      let length = bytes[at + 1]!;
      let start = at + 2;
      if (length === 126) {
        if (at + 4 > bytes.length) break;
        length = bytes.readUInt16BE(start);
        start += 2;
      } else if (length === 127) {
        if (at + 10 > bytes.length) break;
        length = Number(bytes.readBigUInt64BE(start));
        start += 8;
      }
      const end = start + length;
      if (end > bytes.length) break;
      const opcode = bytes[at]! & 0x0f;
      if (opcode === TEXT) {
        this.received++;
        this.onText?.(bytes.subarray(start, end));
      } else if (opcode === PING) this.write(makeFrame(bytes.subarray(start, end), PONG));
      else if (opcode === CLOSE) this.#tcp.end();
      at = end;
    }
    if (at < bytes.length) this.#rest = bytes.subarray(at);
  }
}

/** A masked frame, as clients send it. */
export function makeFrame(payload: Buffer, opcode: number): Buffer {
  const { length } = payload;
  const head =
    length < 126 ? Buffer.from([0x80 | length]) : Buffer.from([0x80 | 126, length >> 8, length & 255]);
  const mask = randomBytes(4);
  const masked = Buffer.from(payload);
  for (let i = 0; i < length; i++) masked[i]! ^= mask[i & 3]!;
  return Buffer.concat([Buffer.from([0x80 | opcode]), head, mask, masked]);
}

export function rawTextFrame(text: string): Buffer {
  return makeFrame(Buffer.from(text), TEXT);
}

export function textFrame(message: object): Buffer {
  return rawTextFrame(JSON.stringify(message));
}

const CLOSE_FRAME = makeFrame(Buffer.from([1000 >> 8, 1000 & 255]), CLOSE);
