import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";
import { CLOSE } from "../../protocol/codes.ts";
import type { Pacer } from "./pacer.ts";

export interface TabOptions {
  /** The address of the WebSocket endpoint. */
  readonly url: string;
  readonly token: string;
  readonly pacer: Pacer;
  /** What the product says about the user and the page. */
  readonly custom: Readonly<Record<string, string>>;
  /** False: a page that is open and shows no conversation. */
  readonly hasWidget: boolean;
  /** Ends the tab for good: it closes its sessions. */
  readonly signal: AbortSignal;
  /** The gateway has refused the tab for good, with a reason. */
  readonly onRefused: (reason: string) => void;
  /** The local address to connect from, so that one address does not hold all connections. */
  readonly localAddress: string | undefined;
}

/** The state of the widget, as the gateway should know it. */
export interface WidgetState {
  selectedConversationId: string | null;
  hasFocus: boolean;
  isTyping: boolean;
}

interface Received {
  readonly type: string;
  readonly id?: number;
  readonly sessionId?: string;
}

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 10_000;
/** Close codes after which the gateway would refuse the same token again. */
const FINAL: readonly number[] = Object.values(CLOSE)
  .filter(({ retry }) => retry !== "backoff")
  .map(({ code }) => code);

const BACKGROUND = 1;
const WIDGET = 2;

/**
 * One browser tab: a socket with a background session and usually a widget. It reconnects and resumes its
 * sessions.
 */
export class Tab {
  readonly #options: TabOptions;
  readonly #widget: WidgetState = { selectedConversationId: null, hasFocus: false, isTyping: false };
  /** The ids of its sessions. They survive a lost socket. */
  readonly #sessionIds = new Map<number, string>();
  #socket: WebSocket | undefined;
  #isConnected = false;
  #retries = 0;
  #retryAfterMs = 0;

  constructor(options: TabOptions) {
    this.#options = options;
    options.signal.addEventListener("abort", () => this.leave());
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  get hasWidget(): boolean {
    return this.#options.hasWidget;
  }

  /** Stays connected until `leave` is called, the signal aborts, or the gateway refuses the tab for good. */
  async stay(): Promise<void> {
    const { pacer, signal } = this.#options;
    for (;;) {
      await pacer.wait(signal);
      const code = await this.#connection();
      if (code === 1000 || FINAL.includes(code)) return;
      // Full jitter, so that tabs that lost their sockets together do not reconnect together.
      const backoff = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#retries++) * Math.random();
      await sleep(this.#retryAfterMs * (1 + Math.random()) + backoff, undefined, { signal });
      this.#retryAfterMs = 0;
    }
  }

  /** Closes the page. Its sessions end at once. */
  leave(): void {
    this.#sessionIds.clear();
    this.#socket?.close(1000);
  }

  /** Drops the connection without a close frame, as in a tunnel. */
  drop(): void {
    this.#isConnected = false;
    this.#socket?.terminate();
  }

  update(change: Partial<WidgetState>): void {
    Object.assign(this.#widget, change);
    if (this.#isConnected) this.#send({ type: "update", sessionId: this.#sessionIds.get(WIDGET), ...change });
  }

  get widget(): Readonly<WidgetState> {
    return this.#widget;
  }

  /** Runs one connection. Resolves with its close code. */
  #connection(): Promise<number> {
    const { url, token, localAddress, onRefused } = this.#options;
    return new Promise((resolve) => {
      const socket = new WebSocket(url, { ...(localAddress && { localAddress }) });
      this.#socket = socket;
      socket.on("open", () => this.#send({ type: "connect", token }));
      socket.on("message", (data) => this.#receive(JSON.parse(String(data))));
      socket.on("unexpected-response", (request, response) => {
        this.#retryAfterMs = 1000 * Number(response.headers["retry-after"] ?? 0);
        request.destroy();
        resolve(1006);
      });
      socket.on("error", () => {});
      socket.on("close", (code, reason) => {
        this.#isConnected = false;
        if (FINAL.includes(code)) onRefused(String(reason));
        resolve(code);
      });
    });
  }

  #receive({ type, id, sessionId }: Received): void {
    if (type === "connected") {
      const { custom } = this.#options;
      const resume = (key: number) => ({ id: key, sessionId: this.#sessionIds.get(key), custom });
      this.#send({ type: "open", kind: "background", ...resume(BACKGROUND) });
      if (this.hasWidget) this.#send({ type: "open", kind: "widget", ...resume(WIDGET), ...this.#widget });
    } else if (type === "opened") {
      this.#sessionIds.set(id!, sessionId!);
      this.#isConnected = this.#sessionIds.size === (this.hasWidget ? 2 : 1);
      if (this.#isConnected) this.#retries = 0;
    }
  }

  #send(message: object): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }
}
