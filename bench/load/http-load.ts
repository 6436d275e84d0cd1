import { once } from "node:events";
import { connect, type Socket } from "node:net";

const OK = Buffer.from("HTTP/1.1 200");
const HEAD_END = Buffer.from("\r\n\r\n");

/** Keep-alive connections. Each one sends a request, waits for the complete response, and sends the next. */
export class HttpLoad {
  readonly #request: Buffer;
  readonly #connections: readonly Socket[];

  private constructor(request: Buffer, connections: readonly Socket[]) {
    this.#request = request;
    this.#connections = connections;
  }

  static async open(port: number, connections: number, request: Buffer): Promise<HttpLoad> {
    const opened = Array.from({ length: connections }, async () => {
      const tcp = connect({ host: "127.0.0.1", port, noDelay: true });
      await once(tcp, "connect");
      return tcp;
    });
    return new HttpLoad(request, await Promise.all(opened));
  }

  /**
   * Sends `count` requests over all connections. Resolves with the last response. Rejects if one is not a
   * 200.
   */
  run(count: number): Promise<void> {
    let toSend = count;
    let toCome = count;
    return new Promise((resolve, reject) => {
      const next = (tcp: Socket) => {
        if (toSend === 0) return;
        toSend--;
        tcp.write(this.#request);
      };
      const done = () => {
        toCome--;
        if (toCome === 0) resolve();
      };
      const gone = () => reject(new Error("the server dropped a connection"));
      for (const tcp of this.#connections) {
        if (tcp.destroyed) return gone();
        tcp.removeAllListeners();
        tcp.on("error", reject);
        tcp.on("close", gone);
        let missing = 0;
        tcp.on("data", (chunk) => {
          if (missing === 0) missing = lengthOf(chunk);
          missing -= chunk.length;
          if (missing > 0) return;
          if (missing < 0)
            return void reject(new Error(`unexpected response: ${chunk.toString().slice(0, 200)}`));
          done();
          next(tcp);
        });
        next(tcp);
      }
    });
  }

  close(): void {
    for (const tcp of this.#connections) {
      tcp.removeAllListeners();
      tcp.on("error", () => {});
      tcp.destroy();
    }
  }
}

/** Bytes of a complete response, from its first chunk. All servers here write the head in one piece. */
function lengthOf(chunk: Buffer): number {
  const end = chunk.indexOf(HEAD_END);
  const head = chunk.toString("latin1", 0, end);
  const length = /content-length: (\d+)/i.exec(head)?.[1];
  if (!chunk.subarray(0, OK.length).equals(OK) || end === -1 || length === undefined) {
    return 0; // Less than the chunk: the caller reports an error.
  }
  return end + HEAD_END.length + Number(length);
}
