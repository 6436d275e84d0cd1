import { once } from "node:events";
import { WebSocket } from "ws";

// biome-ignore lint/suspicious/noExplicitAny: messages of every shape
export type Message = any;

const PATIENCE_MS = 10_000;

/** A WebSocket client that stores nothing. It passes messages on and matches replies to requests. */
export class WireClient {
  readonly socket: WebSocket;
  onText: ((text: string) => void) | undefined;
  onClose: ((code: number) => void) | undefined;
  closeCode: number | undefined;
  readonly #waiting = new Map<number, (message: Message) => void>();
  #nextId = 1;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("error", () => {});
    socket.on("message", (data) => {
      const text = String(data);
      this.onText?.(text);
      const message = JSON.parse(text);
      const answer = this.#waiting.get(message.id);
      if (answer !== undefined && message.more !== true) {
        this.#waiting.delete(message.id);
        answer(message);
      }
    });
    socket.on("close", (code) => {
      this.closeCode = code;
      for (const answer of this.#waiting.values()) answer({ type: "gone", code });
      this.#waiting.clear();
      this.onClose?.(code);
    });
  }

  /** Connects and authenticates. Throws if either is refused. */
  static async connect(
    url: string,
    appId: string,
    token: string,
    onText?: (text: string) => void,
  ): Promise<WireClient> {
    const client = await WireClient.open(url, appId);
    client.onText = onText;
    const answer = await client.ask({ type: "connect", token });
    if (answer.type !== "connected") {
      client.socket.terminate();
      throw new Error(`not connected: ${JSON.stringify(answer)}`);
    }
    return client;
  }

  static async open(url: string, appId: string): Promise<WireClient> {
    const socket = new WebSocket(`${url.replace("http", "ws")}/v1/${appId}/realtime`);
    const client = new WireClient(socket);
    const timer = setTimeout(() => socket.terminate(), PATIENCE_MS);
    try {
      await once(socket, "open");
    } finally {
      clearTimeout(timer);
    }
    return client;
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }

  send(message: object | string): void {
    if (this.isOpen) this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  /** The reply; `gone` if the socket closed, `silent` if there was none. */
  ask(message: object): Promise<Message> {
    if (!this.isOpen) return Promise.resolve({ type: "gone" });
    const id = this.#nextId++;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        resolve({ type: "silent" });
      }, PATIENCE_MS);
      this.#waiting.set(id, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      this.send({ ...message, id });
    });
  }

  close(): void {
    this.socket.close(1000);
  }

  terminate(): void {
    this.socket.terminate();
  }
}
