import { Buffer } from "node:buffer";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text as readText } from "node:stream/consumers";
import type { WebhookMessage } from "../../src/protocol/webhook-message.ts";
import { until } from "./until.ts";

export const WEBHOOK_SECRET = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;

export interface ReceivedWebhook {
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  readonly message: WebhookMessage;
}

/** What a receiver does with a request: a status, or a status and a body, or anything by hand. */
export type Answer =
  | number
  | { readonly status: number; readonly body?: string; readonly headers?: Record<string, string> }
  | ((response: ServerResponse, request: IncomingMessage) => void);

/** The receiver of webhooks, over real HTTP. It answers 204 unless a test says otherwise. */
export class WebhookReceiver {
  readonly received: ReceivedWebhook[] = [];
  readonly #server: Server;
  /** The next answers, and the one after them. */
  #answers: Answer[] = [];
  answer: Answer = 204;

  private constructor(server: Server) {
    this.#server = server;
    server.on("request", async (request: IncomingMessage, response: ServerResponse) => {
      const text = await readText(request).catch(() => "");
      if (text === "") return;
      const headers = request.headers as Record<string, string>;
      this.received.push({ headers, text, message: JSON.parse(text) });
      const answer = this.#answers.shift() ?? this.answer;
      if (typeof answer === "function") return answer(response, request);
      const { status, body, headers: extra = {} } = typeof answer === "number" ? { status: answer } : answer;
      response.writeHead(status, extra);
      response.end(body);
    });
  }

  static async start(): Promise<WebhookReceiver> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new WebhookReceiver(server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook?key=value`;
  }

  get messages(): readonly WebhookMessage[] {
    return this.received.map(({ message }) => message);
  }

  /** Answers the next requests in this way, one after the other. */
  script(...answers: Answer[]): void {
    this.#answers = answers;
  }

  /** Waits for the request with this number, from 1. */
  async nth(count: number): Promise<ReceivedWebhook> {
    await until(() => this.received.length >= count);
    return this.received[count - 1]!;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

/** What a receiver keeps: the result of a filter. */
export class WebhookCopy {
  users = new Map<string, unknown>();
  view: string | undefined;
  version = 0;
  count: number | undefined;
  /** The pages of a snapshot that is not complete. */
  #pages: { readonly key: string; readonly users: Map<string, unknown>; readonly page: number } | undefined;

  /** Applies a message. Returns false if the receiver has to ask for a snapshot. */
  apply(message: WebhookMessage): boolean {
    switch (message.type) {
      case "presence.count":
        this.count = message.data.users;
        return true;
      case "presence.snapshot": {
        const { view, version, users, page, more } = message.data;
        const key = `${view} ${version}`;
        if (page === 1) this.#pages = { key, users: new Map(), page: 0 };
        const pages = this.#pages;
        // The last page was applied, and the answer was lost.
        const isComplete = view === this.view && version === this.version;
        if (pages === undefined || pages.key !== key) return isComplete;
        // A page that was accepted, but whose answer was lost, comes again.
        if (page > pages.page + 1) return false;
        for (const [id, value] of Object.entries(users)) pages.users.set(id, value);
        this.#pages = { ...pages, page };
        if (more) return true;
        this.users = pages.users;
        this.view = view;
        this.version = version;
        this.#pages = undefined;
        return true;
      }
      case "presence.diff": {
        const { view, from, version, users } = message.data;
        // It was applied, and the answer was lost.
        if (view === this.view && version === this.version) return true;
        if (view !== this.view || from !== this.version) return false;
        for (const [id, value] of Object.entries(users)) {
          if (value === null) this.users.delete(id);
          else this.users.set(id, value);
        }
        this.version = version;
        return true;
      }
    }
  }

  /** The copy is gone, as after a restart without a disk. */
  forget(): void {
    this.users = new Map();
    this.view = undefined;
    this.version = 0;
    this.count = undefined;
    this.#pages = undefined;
  }
}
