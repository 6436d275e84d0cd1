import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Webhook } from "standardwebhooks";
import { describeOutcome } from "./describe-outcome.ts";
import { type Outcome, WebhookCopy } from "./webhook-copy.ts";
import { readWebhookMessage, type WebhookMessage } from "./webhook-message.ts";

export interface ReceiverOptions {
  readonly secret: string;
  /** Ask for a snapshot once, in the answer to the first message. */
  readonly resync: boolean;
  /** Is told in plain words what comes, one line at a time. */
  readonly say: (line: string) => void;
  /** Is told each message that is genuine, repetitions included. */
  readonly onMessage?: (message: WebhookMessage) => void;
}

interface Answer {
  readonly status: number;
  readonly body?: object;
}

/** Messages have at most 256 KiB, but for a user whose value alone has more. */
const MAX_BODY_BYTES = 1_048_576;
const TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 64;
/** One secret may be that of several webhooks. */
const MAX_COPIES = 64;

const DONE: Answer = { status: 204 };
const RESYNC: Answer = { status: 200, body: { resync: true } };

/** An HTTP server that verifies the messages of webhooks and keeps a copy for each webhook. */
export class WebhookReceiver {
  readonly server: Server;
  readonly #webhook: Webhook;
  readonly #options: ReceiverOptions;
  readonly #copies = new Map<string, WebhookCopy>();
  #asksForSnapshot: boolean;

  /** @throws if the secret is none: see `webhookSecretProblem`. */
  constructor(options: ReceiverOptions) {
    this.#options = options;
    this.#webhook = new Webhook(options.secret);
    this.#asksForSnapshot = options.resync;
    const timeouts = { headersTimeout: TIMEOUT_MS, requestTimeout: TIMEOUT_MS };
    this.server = createServer(timeouts, (request, response) => void this.#handle(request, response));
    this.server.maxConnections = MAX_CONNECTIONS;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, body } = await this.#respond(request);
    // After a refusal the rest of the body is not read.
    if (status >= 400) response.setHeader("connection", "close");
    if (body !== undefined) response.setHeader("content-type", "application/json");
    if (status === 405) response.setHeader("allow", "POST");
    response.writeHead(status).end(body === undefined ? undefined : JSON.stringify(body));
  }

  async #respond(request: IncomingMessage): Promise<Answer> {
    if (request.method !== "POST")
      return this.#refuse(405, `webhooks come as POST, and this is ${request.method}`);
    let text: string | undefined;
    try {
      text = await readBody(request);
    } catch {
      return this.#refuse(400, "its body broke off, or is not UTF-8");
    }
    if (text === undefined) return this.#refuse(413, `it has more than ${MAX_BODY_BYTES} bytes`);
    try {
      const headers = request.headers as Record<string, string>;
      this.#webhook.verify(text, headers, { jsonParse: false });
    } catch (error) {
      return this.#refuse(401, `it is not signed with this secret (${(error as Error).message})`);
    }
    const message = readWebhookMessage(text);
    if (message === undefined) return this.#refuse(400, "it is signed, but no message that is known here");
    return this.#take(String(request.headers["webhook-id"]), message);
  }

  #take(id: string, message: WebhookMessage): Answer {
    const { say, onMessage } = this.#options;
    onMessage?.(message);
    const { appId, webhookId } = message.data;
    const copy = this.#copyOf(JSON.stringify([appId, webhookId]));
    const outcome: Outcome = copy.apply(id, message);
    for (const line of describeOutcome(message, outcome, copy)) say(`${webhookId}: ${line}`);
    if (outcome.kind === "misfit") return RESYNC;
    if (!this.#asksForSnapshot) return DONE;
    this.#asksForSnapshot = false;
    say(`${webhookId}: asking for a snapshot, because of --resync`);
    return RESYNC;
  }

  #copyOf(key: string): WebhookCopy {
    let copy = this.#copies.get(key);
    if (copy === undefined) {
      copy = new WebhookCopy();
      this.#copies.set(key, copy);
      const [oldest] = this.#copies.keys();
      if (this.#copies.size > MAX_COPIES) this.#copies.delete(oldest!);
    }
    return copy;
  }

  #refuse(status: number, why: string): Answer {
    this.#options.say(`refused a request with ${status}: ${why}`);
    return { status };
  }
}

/** The body; undefined if it is too long. @throws if it breaks off or is not UTF-8. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request.iterator({ destroyOnReturn: false })) {
    bytes += (part as Buffer).length;
    if (bytes > MAX_BODY_BYTES) return undefined;
    parts.push(part as Buffer);
  }
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.concat(parts));
}
