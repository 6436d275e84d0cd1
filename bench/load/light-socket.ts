import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";

const HANDSHAKE_END = Buffer.from("\r\n\r\n");
const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

export interface OpenOptions {
  /** Where it comes from, if that matters. */
  readonly localAddress?: string;
  /** Until it is accepted. */
  readonly patienceMs?: number;
}

/**
 * A WebSocket client that does next to nothing, as it shares the machine with the server that it measures: it writes
 * frames that were made before, counts the ones that come, and answers pings.
 */
export class LightSocket {
  /** Text frames that came in. */
  received = 0;
  /** Called for each of them; the payload is good for the call only. */
  onText: ((payload: Buffer) => void) | undefined;
  readonly #tcp: Socket;
  #rest: Buffer | undefined;

  private constructor(tcp: Socket) {
    this.#tcp = tcp;
  }

  static async open(
    port: number,
    path: string,
    { localAddress, patienceMs = 60_000 }: OpenOptions = {},
  ): Promise<LightSocket> {
    const tcp = connect({ host: "127.0.0.1", port, noDelay: true, ...(localAddress && { localAddress }) });
    const timer = setTimeout(() => tcp.destroy(new Error("no answer in time")), patienceMs);
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
    // The first message may have come with the head: it is read when the caller had its chance to listen.
    tcp.pause();
    tcp.unshift(head.subarray(end + HANDSHAKE_END.length));
    tcp.on("data", (chunk) => socket.#read(chunk));
    tcp.on("error", () => tcp.destroy());
    tcp.resume();
    return socket;
  }

  /** Calls back when the connection goes, which it should not while something is to come. Returns how to stop that. */
  onGone(gone: (error: Error) => void): () => void {
    const onClose = () => gone(new Error("the server has dropped a socket of the benchmark"));
    this.#tcp.once("close", onClose);
    return () => this.#tcp.off("close", onClose);
  }

  write(frame: Buffer): void {
    this.#tcp.write(frame);
  }

  /** Writes a frame and returns the text of the next one that comes, or of the next that is the answer. */
  ask(frame: Buffer, isAnswer?: (text: string) => boolean): Promise<string> {
    const answer = this.next(isAnswer);
    this.write(frame);
    return answer;
  }

  /** Writes frames and returns as many texts, the next ones that come. */
  askAll(frames: readonly Buffer[]): Promise<string[]> {
    const answers = this.#nextTexts(frames.length);
    this.write(Buffer.concat(frames));
    return answers;
  }

  /** The next text that comes, or the next that is meant. */
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

  /** Says goodbye with 1000, so that the server ends its sessions, and resolves when the connection is gone. */
  async close(): Promise<void> {
    if (this.#tcp.destroyed) return;
    const closed = once(this.#tcp, "close");
    this.write(CLOSE_FRAME);
    await closed;
  }

  /** Is gone without a word, as when the network is lost. */
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

/** A frame as a client sends it, masked. */
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
