import { WebSocket } from "ws";
import { createClient } from "../client/client.ts";
import { PresenceError } from "../client/errors.ts";
import type { PresenceClient } from "../client/types.ts";
import { CLOSE } from "../protocol/codes.ts";
import { CliError } from "./cli-error.ts";
import { CHECK_CREDENTIALS, connectionProblem } from "./connection-problem.ts";
import type { Target } from "./target.ts";

export interface GatewayClient {
  readonly client: PresenceClient;
  /**
   * Rejects if the first attempt to connect fails. The gateway is probably not running, and waiting would not
   * help.
   */
  readonly unreachable: Promise<never>;
  /** Why the last connection was lost or failed, if known. */
  readonly problem: () => string | undefined;
  /** Closes the client. Waits a limited time for its sessions to close. */
  close(): Promise<void>;
}

const GOODBYE_MS = 1_000;

/** A client for a command: the SDK with a socket that remembers its last problem. */
export function connectTo({ url, appId, token }: Target): GatewayClient {
  // An abandoned socket may report its problem after the next socket exists.
  let latest: NotedSocket | undefined;
  class NotedSocket extends WebSocket {
    problem: string | undefined;

    constructor(address: string) {
      super(address, { perMessageDeflate: false });
      latest = this;
      this.on("error", (error: NodeJS.ErrnoException) => {
        this.problem = explain(error);
      });
      this.on("close", (code, reason) => {
        this.problem ??= NO_TOKEN.includes(code)
          ? `it does not take this secret or token: ${CHECK_CREDENTIALS}`
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

/** The user can fix what the gateway refused. */
export function toCliError(error: unknown): unknown {
  if (!(error instanceof PresenceError)) return error;
  const { code, message } = error;
  return new CliError(`${message} (${code})${code === "UNAUTHENTICATED" ? `: ${CHECK_CREDENTIALS}` : ""}`);
}

const NO_TOKEN: readonly number[] = [CLOSE.unauthenticated.code, CLOSE.tokenExpired.code];

const STATUS: Readonly<Record<string, string>> = {
  403: "it refuses connections like this one (403)",
  404: "it does not know this app (404): check APP_ID and GATEWAY_URL",
  429: "too many connections from this address (429)",
  503: "it is starting, full or going down (503): /readyz says which",
};

function explain(error: NodeJS.ErrnoException): string {
  const status = /^Unexpected server response: (\d+)$/.exec(error.message)?.[1];
  if (status !== undefined) return STATUS[status] ?? `it answers with ${status}`;
  return connectionProblem(error);
}
