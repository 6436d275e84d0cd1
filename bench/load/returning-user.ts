import { retryDelay } from "../../src/client/retry.ts";
import { APP } from "../servers/app.ts";
import { LightSocket, textFrame } from "./light-socket.ts";
import { expect } from "./sockets.ts";

/** The SDK's. */
const PATIENCE_MS = 10_000;
/** Nobody waits for longer: whoever is not let in by then is kept out by something else than a storm. */
const LONGEST_MS = 120_000;

/** A session and a subscription that outlive their sockets: comes back as the protocol wants, with the SDK's delays. */
export class ReturningUser {
  /** Upgrades that were tried since the socket was lost. */
  attempts = 0;
  readonly #port: number;
  readonly #connect: Buffer;
  readonly #conversation: string;
  readonly #localAddress: string;
  #socket: LightSocket | undefined;
  #resumeWindowMs = 15_000;
  #lostAt = Number.NEGATIVE_INFINITY;
  #sessionId: string | undefined;
  #position: { readonly view: string; readonly version: number } | undefined;

  constructor(port: number, token: string, conversation: string, localAddress: string) {
    this.#port = port;
    this.#connect = textFrame({ type: "connect", token });
    this.#conversation = conversation;
    this.#localAddress = localAddress;
  }

  /** Comes in, trying until it is let in; whether its session is the one that it had before. */
  async enter(): Promise<boolean> {
    const startedAt = performance.now();
    for (this.attempts = 1; ; this.attempts++) {
      try {
        return await this.#tryToEnter();
      } catch (error) {
        if (performance.now() > startedAt + LONGEST_MS) throw error;
        // Refused, or dropped before all was said: both are part of a storm.
        await this.#wait(this.attempts);
      }
    }
  }

  /** Is gone without a word, and comes back. */
  async loseAndReturn(): Promise<boolean> {
    this.#socket?.cut();
    this.#lostAt = performance.now();
    await this.#wait(0);
    return this.enter();
  }

  #wait(attempt: number): Promise<void> {
    const lostForMs = performance.now() - this.#lostAt;
    return delay(retryDelay(attempt, this.#resumeWindowMs, lostForMs, Math.random()));
  }

  async #tryToEnter(): Promise<boolean> {
    const socket = await LightSocket.open(this.#port, `/v1/${APP.id}/realtime`, {
      localAddress: this.#localAddress,
      patienceMs: PATIENCE_MS,
    });
    this.#socket = socket;
    const connected = expect(await socket.ask(this.#connect), "connected");
    this.#resumeWindowMs = connected.resumeWindowMs as number;
    const conversation = { selectedConversationId: this.#conversation };
    const [opened, subscribed] = await socket.askAll([
      textFrame({ type: "open", kind: "widget", sessionId: this.#sessionId, ...conversation }),
      textFrame({ type: "subscribe", id: 1, filter: conversation, since: this.#position }),
    ]);
    const { sessionId, resumed } = expect(opened!, "opened");
    this.#sessionId = sessionId as string;
    const follow = (text: string) => {
      const { view, version } = JSON.parse(text);
      this.#position = { view, version };
    };
    follow(subscribed!);
    socket.onText = (payload) => follow(payload.toString());
    return resumed as boolean;
  }

  close(): Promise<void> {
    return this.#socket!.close();
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
