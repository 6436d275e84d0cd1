import { once } from "node:events";
import { connect, type Socket } from "node:net";

const HOST = "127.0.0.1";

/** A connection to Redis that sends commands in batches and skips their replies. */
export class RedisPipe {
  readonly #tcp: Socket;
  #markers = 0;
  #subscriptions = 0;

  private constructor(tcp: Socket) {
    this.#tcp = tcp;
  }

  static async open(port: number): Promise<RedisPipe> {
    const tcp = connect({ host: HOST, port, noDelay: true });
    await once(tcp, "connect");
    tcp.resume();
    return new RedisPipe(tcp);
  }

  /** Sends a batch. Resolves when Redis has replied to all of it. Rejects if a reply is an error. */
  async send(commands: readonly (readonly string[])[]): Promise<void> {
    const marker = `marker-${this.#markers++}`;
    const batch = [...commands, ["ECHO", marker]].map(encode).join("");
    let rest = "";
    await new Promise<void>((resolve, reject) => {
      const onData = (chunk: Buffer) => {
        const text = rest + chunk.toString("latin1");
        const error = /(?:^|\r\n)-([^\r]*)\r\n/.exec(text);
        if (error === null && !text.includes(`${marker}\r\n`)) {
          // A line may be cut in two.
          rest = text.slice(text.lastIndexOf("\r\n"));
          return;
        }
        this.#tcp.off("data", onData);
        if (error === null) resolve();
        else reject(new Error(`Redis refused a command: ${error[1]}`));
      };
      this.#tcp.on("data", onData);
      this.#tcp.write(batch, "latin1");
    });
  }

  /** Subscribes to further topics, and skips what arrives from then on. */
  async subscribe(topics: readonly string[]): Promise<void> {
    this.#subscriptions += topics.length;
    await this.#change("SSUBSCRIBE", topics);
  }

  async unsubscribe(topics: readonly string[]): Promise<void> {
    this.#subscriptions -= topics.length;
    await this.#change("SUNSUBSCRIBE", topics);
  }

  /** Redis replies for each topic. The last reply has the number of topics that are left. */
  async #change(command: string, topics: readonly string[]): Promise<void> {
    const last = `\r\n${topics.at(-1)}\r\n:${this.#subscriptions}\r\n`;
    const changed = new Promise<void>((resolve) => {
      let text = "";
      const onData = (chunk: Buffer) => {
        text = text.slice(-last.length) + chunk.toString("latin1");
        if (!text.includes(last)) return;
        this.#tcp.off("data", onData);
        resolve();
      };
      this.#tcp.on("data", onData);
    });
    this.#tcp.write(encode([command, ...topics]), "latin1");
    await changed;
  }

  close(): void {
    this.#tcp.destroy();
  }
}

function encode(command: readonly string[]): string {
  return `*${command.length}\r\n${command.map((part) => `$${part.length}\r\n${part}\r\n`).join("")}`;
}
