import { retryDelay } from "../../src/client/retry.ts";
import { APP } from "../servers/app.ts";
import { LightSocket, textFrame } from "./light-socket.ts";
import { expect } from "./sockets.ts";

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
  #sessionId: string | undefined;
  #position: { readonly view: string; readonly version: number } | undefined;

  constructor(port: number, token: string, conversation: string, localAddress: string) {
    this.#port = port;
    this.#connect = textFrame({ type: "connect", token });
    this.#conversation = conversation;
    this.#localAddress = localAddress;
  }

  /** Is gone, and comes back; resolves with whether the session is the one that was lost. */
  async loseAndReturn(): Promise<boolean> {
    this.#socket?.cut();
    this.attempts = 0;
    for (;;) {
      await delay(retryDelay(this.attempts, this.#resumeWindowMs, Math.random()));
      const resumed = await this.enter();
      if (resumed !== undefined) return resumed;
    }
  }

  /** Comes in, or undefined if it is not let in; whether its session was resumed. */
  async enter(): Promise<boolean | undefined> {
    this.attempts++;
    let socket: LightSocket;
    try {
      socket = await LightSocket.open(this.#port, `/v1/${APP.id}/realtime`, this.#localAddress);
    } catch {
      return undefined;
    }
    this.#socket = socket;
    const connected = expect(await socket.ask(this.#connect), "connected");
    this.#resumeWindowMs = connected.resumeWindowMs as number;
    const conversation = { selectedConversationId: this.#conversation };
    const [opened, subscribed] = await socket.askAll([
      textFrame({
        type: "open",
        kind: "widget",
        ...(this.#sessionId === undefined ? conversation : { sessionId: this.#sessionId }),
      }),
      textFrame({ type: "subscribe", id: 1, filter: conversation, since: this.#position }),
    ]);
    const { sessionId, resumed } = expect(opened!, "opened");
    this.#sessionId = sessionId as string;
    const { view, version } = JSON.parse(subscribed!);
    this.#position = { view, version };
    return resumed as boolean;
  }

  close(): Promise<void> {
    return this.#socket!.close();
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
