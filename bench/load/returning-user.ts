import { retryDelay } from "../../src/client/retry.ts";
import { APP } from "../servers/app.ts";
import { LightSocket, textFrame } from "./light-socket.ts";
import { expect } from "./sockets.ts";

/** The same limit as in the SDK. */
const TIMEOUT_MS = 10_000;
/** A user that is still refused after this time is not kept out by the storm. */
const LONGEST_MS = 120_000;

/**
 * A user whose session and subscription outlive their socket. It reconnects as the SDK does, with the SDK's
 * delays.
 */
export class ReturningUser {
  /** Upgrade attempts since the socket was lost. */
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

  /** Connects, retrying until the gateway accepts. Resolves with whether it resumed its previous session. */
  async enter(): Promise<boolean> {
    const startedAt = performance.now();
    for (this.attempts = 1; ; this.attempts++) {
      try {
        return await this.#tryToEnter();
      } catch (error) {
        if (performance.now() > startedAt + LONGEST_MS) throw error;
        // A storm includes refused upgrades and connections that drop during the handshake.
        await this.#wait(this.attempts);
      }
    }
  }

  /** Resets the connection and reconnects. */
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
      timeoutMs: TIMEOUT_MS,
    });
    this.#socket = socket;
    const connected = expect(await socket.request(this.#connect), "connected");
    this.#resumeWindowMs = connected.resumeWindowMs as number;
    const conversation = { selectedConversationId: this.#conversation };
    const [opened, subscribed] = await socket.requestAll([
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
