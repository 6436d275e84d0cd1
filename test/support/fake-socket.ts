import type { WebSocketConstructor, WebSocketLike } from "../../src/client/types.ts";
import type { Received } from "./client.ts";

/** A WebSocket without a network, for tests with fake timers. The test acts as its server. */
export class FakeSocket implements WebSocketLike {
  readyState = 0;
  bufferedAmount = 0;
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  readonly url: string;
  readonly at = performance.now();
  readonly sent: { readonly at: number; readonly message: Received }[] = [];
  /** The code that the client closed with. */
  closeCode: number | undefined;
  /** Optionally replies to sent messages. */
  onSent: ((message: Received) => void) | undefined;
  /** Whether a close gets a reply, as from a live peer. */
  answersClose = true;

  constructor(url: string) {
    this.url = url;
  }

  send(text: string): void {
    if (this.readyState === 0) throw new Error("still connecting");
    const message = JSON.parse(text);
    this.sent.push({ at: performance.now(), message });
    this.onSent?.(message);
  }

  close(code?: number): void {
    if (this.readyState >= 2) return;
    this.readyState = 2;
    this.closeCode = code;
    if (this.answersClose) queueMicrotask(() => this.end(code ?? 1005));
  }

  messages(type: string): Received[] {
    return this.sent.filter(({ message }) => message.type === type).map(({ message }) => message);
  }

  // Actions of the server

  open(): void {
    this.readyState = 1;
    this.onopen?.({} as never);
  }

  say(message: unknown): void {
    const data = typeof message === "string" ? message : JSON.stringify(message);
    this.onmessage?.({ data } as never);
  }

  /** Sends `connected`, whatever the token. */
  accept(fields: Record<string, unknown> = {}): void {
    this.open();
    this.say({
      type: "connected",
      userId: "alice",
      nodeId: "node",
      heartbeatMs: 16_000,
      resumeWindowMs: 15_000,
      ...fields,
    });
  }

  /** Replies to the latest `open`. */
  opened(sessionId = "session"): void {
    this.say({ type: "opened", id: this.messages("open").at(-1).id, sessionId, resumed: false });
  }

  end(code: number, reason = ""): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.onclose?.({ code, reason } as never);
  }
}

/** A WebSocket class for the SDK, and the sockets created from it. */
export function fakeSockets(onMade: (socket: FakeSocket) => void = () => {}) {
  const sockets: FakeSocket[] = [];
  class Made extends FakeSocket {
    constructor(url: string) {
      super(url);
      sockets.push(this);
      onMade(this);
    }
  }
  return { sockets, WebSocket: Made as unknown as WebSocketConstructor };
}
