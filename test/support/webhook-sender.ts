import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { text as readText } from "node:stream/consumers";
import { Webhook } from "standardwebhooks";
import type { PresenceValue } from "../../src/client/types.ts";

export interface WebhookAnswer {
  readonly status: number;
  readonly text: string;
}

/** A message that is delivered until it is accepted. A repetition has the same id and the same body. */
interface Delivery {
  readonly id: string;
  readonly body: string;
}

/** What goes wrong with one exchange. */
export type WebhookFault = "none" | "answer lost" | "request lost" | "sent twice";

const source = { appId: "shop", webhookId: "copy" };

/** A user's value, with one widget in a conversation. */
export function presentIn(selectedConversationId: string | null, hasFocus = false): PresenceValue {
  const session = { selectedConversationId, custom: {}, hasFocus, isTyping: false, sessionId: "s" };
  return { status: "online", backgroundSessions: [], widgets: [session] };
}

/**
 * Stands for a gateway that delivers a webhook: snapshots in pages, then diffs, each until a 2xx. The test
 * decides when it sends, and what goes wrong.
 */
export class WebhookSender {
  /** Who is there now. The receiver's copy is to become equal to it. */
  readonly users = new Map<string, PresenceValue>();
  /** Where the receiver listens. */
  url: string;
  readonly #webhook: Webhook;
  readonly #usersOnPage: number;
  #view = 0;
  #version = 0;
  #ids = 0;
  /** Users who changed since the last message was made. */
  readonly #changed = new Set<string>();
  #needsSnapshot = true;
  /** What is still to be sent, in order: one diff, or the pages of a snapshot. */
  #deliveries: Delivery[] = [];

  constructor(url: string, secret: string, usersOnPage = 3) {
    this.url = url;
    this.#webhook = new Webhook(secret);
    this.#usersOnPage = usersOnPage;
  }

  /** A user's new value. null: the user leaves. */
  set(userId: string, value: PresenceValue | null): void {
    if (value === null) this.users.delete(userId);
    else this.users.set(userId, value);
    this.#changed.add(userId);
  }

  /** Another node takes over: what was under way is forgotten, and all positions are new. */
  restart(): void {
    this.#view++;
    this.#version = 0;
    this.repeat();
  }

  /** Sends all of it once more, as after messages of another sender. */
  repeat(): void {
    this.#deliveries = [];
    this.#needsSnapshot = true;
  }

  get isQuiet(): boolean {
    return this.#deliveries.length === 0 && !this.#needsSnapshot && this.#changed.size === 0;
  }

  /** One exchange. Undefined if there was nothing to send, or nobody heard an answer. */
  async exchange(fault: WebhookFault = "none"): Promise<WebhookAnswer | undefined> {
    if (this.#deliveries.length === 0) this.#makeDeliveries();
    const [delivery] = this.#deliveries;
    if (delivery === undefined || fault === "request lost") return undefined;
    if (fault === "sent twice") await this.#post(delivery);
    const answer = await this.#post(delivery);
    if (answer === undefined || fault === "answer lost") return undefined;
    if (answer.status < 200 || answer.status > 299) return answer;
    this.#deliveries.shift();
    if (/"resync": ?true/.test(answer.text)) {
      this.repeat();
    }
    return answer;
  }

  /** Sends a body of the test's own, with right signatures unless headers say otherwise. */
  async send(
    body: string | Buffer,
    headers: Record<string, string> = {},
    id = `own-${this.#ids++}`,
  ): Promise<WebhookAnswer | undefined> {
    return await this.#post({ id, body: String(body) }, headers, body);
  }

  #makeDeliveries(): void {
    if (this.#needsSnapshot) this.#deliveries = this.#snapshot();
    else if (this.#changed.size > 0) this.#deliveries = [this.#diff()];
    this.#needsSnapshot = false;
    this.#changed.clear();
  }

  #snapshot(): Delivery[] {
    if (this.#changed.size > 0) this.#version++;
    const all = [...this.users];
    const pages = Math.max(1, Math.ceil(all.length / this.#usersOnPage));
    return Array.from({ length: pages }, (_, i) => {
      const users = Object.fromEntries(all.slice(i * this.#usersOnPage, (i + 1) * this.#usersOnPage));
      return this.#delivery("presence.snapshot", {
        version: this.#version,
        users,
        page: i + 1,
        more: i + 1 < pages,
      });
    });
  }

  #diff(): Delivery {
    const from = this.#version++;
    const users = Object.fromEntries([...this.#changed].map((id) => [id, this.users.get(id) ?? null]));
    const left = [...this.#changed].filter((id) => !this.users.has(id));
    const causes = Object.fromEntries(left.map((id) => [id, "closed"]));
    return this.#delivery("presence.diff", { from, version: this.#version, users, causes });
  }

  #delivery(type: string, data: object): Delivery {
    const view = `view-${this.#view}`;
    return {
      id: `msg-${this.#ids++}`,
      body: JSON.stringify({ type, timestamp: new Date().toISOString(), data: { ...source, view, ...data } }),
    };
  }

  /** Undefined if the receiver does not answer. */
  async #post(
    { id, body }: Delivery,
    headers: Record<string, string> = {},
    bytes: string | Buffer = body,
  ): Promise<WebhookAnswer | undefined> {
    const now = new Date();
    const request = httpRequest(this.url, {
      method: "POST",
      agent: false,
      headers: {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
        "webhook-signature": `v1,AAAA ${this.#webhook.sign(id, now, body)}`,
        ...headers,
      },
    });
    try {
      request.end(bytes);
      const [response] = (await once(request, "response")) as [IncomingMessage];
      return { status: response.statusCode!, text: await readText(response) };
    } catch {
      return undefined;
    }
  }
}
