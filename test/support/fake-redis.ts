import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

/** What the fake Redis replies to a command, in RESP; undefined: nothing at all. */
export type Reply = (command: readonly string[]) => string | undefined;

/** A server that speaks the protocol of Redis, and replies as a test says. */
export class FakeRedis {
  readonly commands: string[][] = [];
  /** How many connections it has taken since its start. */
  accepted = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #reply: Reply;

  private constructor(reply: Reply) {
    this.#reply = reply;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  static async start(reply: Reply): Promise<FakeRedis> {
    const redis = new FakeRedis(reply);
    redis.#server.listen(0, "127.0.0.1");
    await once(redis.#server, "listening");
    return redis;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Its open connections. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** Ends all connections. */
  disconnect(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.disconnect();
    await closed;
  }

  #accept(socket: Socket): void {
    this.accepted++;
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => {});
    let text = "";
    socket.setEncoding("utf8").on("data", (data: string) => {
      text += data;
      for (let taken = takeCommand(text); taken !== undefined; taken = takeCommand(text)) {
        text = taken.rest;
        this.commands.push(taken.command);
        const reply = this.#reply(taken.command);
        if (reply !== undefined) socket.write(reply);
      }
    });
  }
}

/** A text as a reply. */
export function bulk(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
}

/** The first whole command of a text of ASCII, and what follows it. */
function takeCommand(text: string): { command: string[]; rest: string } | undefined {
  const lines = text.split("\r\n");
  const count = 2 * Number(lines[0]!.slice(1));
  if (lines.length < count + 2) return undefined;
  const command = lines.slice(1, count + 1).filter((_line, i) => i % 2 === 1);
  return { command, rest: lines.slice(count + 1).join("\r\n") };
}
