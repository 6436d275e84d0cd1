import { WebSocket } from "ws";
import { createClient } from "../client/client.ts";
import { PresenceError } from "../client/errors.ts";
import type { PresenceClient } from "../client/types.ts";
import { CLOSE } from "../protocol/codes.ts";
import { CliError } from "./cli-error.ts";
import type { Target } from "./target.ts";

export interface GatewayClient {
  readonly client: PresenceClient;
  /**
   * Rejects when the first try to connect comes to nothing: most likely it is not there, and waiting would
   * not help.
   */
  readonly unreachable: Promise<never>;
  /** Why the connection was last lost or not made, as far as is known. */
  readonly problem: () => string | undefined;
  /** Says goodbye, and waits for it only so long. */
  close(): Promise<void>;
}

const GOODBYE_MS = 1_000;

/** A client for a command: the SDK, over a socket that remembers what went wrong with it. */
export function connectTo({ url, appId, token }: Target): GatewayClient {
  // One that was given up may say its last word when the next one is there.
  let latest: NotedSocket | undefined;
  class NotedSocket extends WebSocket {
    problem: string | undefined;

    constructor(address: string, protocols: string) {
      super(address, protocols, { perMessageDeflate: false });
      latest = this;
      this.on("error", (error: NodeJS.ErrnoException) => {
        this.problem = explain(error);
      });
      this.on("close", (code, reason) => {
        this.problem ??= NO_TOKEN.includes(code)
          ? "it does not take this secret or token"
          : `closed: ${code} ${reason}`.trimEnd();
      });
    }
  }
  const client = createClient({ url, appId, token, WebSocket: NotedSocket });
  const unreachable = new Promise<never>((_, reject) => {
    let isOver = false;
    client.on("status", (status, { error }) => {
      if (status === "reconnecting" && !isOver) {
        reject(new CliError(`no gateway lets us in at ${url}: ${latest?.problem ?? error?.message}`));
      }
      if (status === "connected" || status === "reconnecting") isOver = true;
    });
  });
  unreachable.catch(() => {});
  return {
    client,
    unreachable,
    problem: () => latest?.problem,
    close: async () => {
      const patience = new Promise((resolve) => setTimeout(resolve, GOODBYE_MS).unref());
      await Promise.race([client.close(), patience]);
    },
  };
}

/** What the gateway refused is for the caller to mend. */
export function toCliError(error: unknown): unknown {
  return error instanceof PresenceError ? new CliError(`${error.message} (${error.code})`) : error;
}

const NO_TOKEN: readonly number[] = [CLOSE.unauthenticated.code, CLOSE.tokenExpired.code];

const STATUS: Readonly<Record<string, string>> = {
  403: "it refuses connections like this one (403)",
  404: "it does not know this app (404)",
  429: "too many connections from this address (429)",
  503: "it is full or going down (503)",
};

function explain({ code, message }: NodeJS.ErrnoException): string {
  const status = /^Unexpected server response: (\d+)$/.exec(message)?.[1];
  if (status !== undefined) return STATUS[status] ?? `it answers with ${status}`;
  // Several addresses of one name were tried: such errors have a code, and no message.
  return message || code || "the connection failed";
}
